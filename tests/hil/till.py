"""A signed-in cashier on the session's bench, which is made fresh only when something of it was used up.

A reset costs seconds; a test that needs only a sale nobody has touched and the menu on the screen does not need one.
"""

import time
from typing import Any

from hil.bench.client import BenchClient
from hil.scenarios.story import decode_png
from pos_agent.protocol.rescue import PREFIX as RESCUE_PREFIX
from tests.hil.cashier import Cashier

#: A request of an earlier test may still bring a result slip or a notice: the next test starts on fresh data.
MAX_REQUESTS = 0
#: `ScannerConfig.reread_window_ms` and a margin.
REREAD_S = 0.8
#: Paper that has not moved for so long has come to rest: at the bench's speed a whole slip takes a tenth of it.
_PAPER_RESTS_S = 0.5
_HEALTHY = {"faults": [], "unplugged": [], "broker": "up", "back_office": "up", "power": "on", "locale": "zh-CN"}
_MAX_STEPS_HOME = 6


class BenchUse:
    """What a session of tests has used up of its bench.

    Attributes:
        is_new: Nothing was done at the bench since it was started.
        daemon_pid: Of the daemon on the data that `Till` last made fresh; 0 = make it fresh again.
        spares: Spare sales that were given out since.
        kinds: Other sales that were given out since.
        last_code: Code that was scanned last, and when (monotonic, seconds).
        requests: Newest request at the last count, and how many there were.
    """

    def __init__(self) -> None:
        self.is_new = True
        self.daemon_pid = 0
        self.spares = 0
        self.kinds: set[str] = set()
        self.last_code = ("", 0.0)
        self.requests = ("", 0)


class Till(Cashier):
    """A cashier at the session's bench; `open` or `open_fresh` first.

    Args:
        client: The session's bench.
        use: What was used up of it.
    """

    def __init__(self, client: BenchClient, use: BenchUse) -> None:
        super().__init__(client)
        self._use = use
        self._slips_before = 0

    def open(self) -> None:
        """Come to MENU with devices and network in order and nothing waiting; on fresh data where that is needed."""
        state = self.client.state()
        if not self._is_usable(state) or self._count_requests(state) > MAX_REQUESTS or not self._go_home():
            self.open_fresh()
        self._slips_before = len(self.client.slips())

    def open_fresh(self) -> None:
        """Come to MENU on fresh data."""
        if not self._use.is_new:
            self.client.reset()
        self._use.is_new = False
        self.client.sign_in()
        self._use.daemon_pid = self.client.state()["daemon"]["pid"]
        self._use.spares = 0
        self._use.kinds.clear()
        self._use.requests = ("", 0)
        self._slips_before = 0

    def power_on(self) -> None:
        """Switch the till on again after a cut; ends at LOGIN."""
        self.client.power("on")
        state = self.client.wait_state("LOGIN", timeout_s=20)
        self._use.daemon_pid = state["daemon"]["pid"]

    def _is_usable(self, state: dict[str, Any]) -> bool:
        daemon = state["daemon"]
        if daemon is None or daemon["pid"] != self._use.daemon_pid or daemon["printer_jobs"]:
            return False
        are_devices_fine = all(one["online"] and not one["code"] for one in state["devices"].values())
        is_idle = not any(state["outbox"].values()) and daemon["is_back_office_present"]
        return are_devices_fine and is_idle and all(state[name] == value for name, value in _HEALTHY.items())

    def _count_requests(self, state: dict[str, Any]) -> int:
        """Return how many requests there are; the back office is asked only if there is a new one."""
        newest = state["daemon"]["last_request_id"]
        if newest != self._use.requests[0]:
            self._use.requests = (newest, len(self.client.requests()))
        return self._use.requests[1]

    def _go_home(self) -> bool:
        for _ in range(_MAX_STEPS_HOME):
            state = self.client.state()
            if state["workflow_state"] == "MENU":
                return True
            if state["workflow_state"] == "LOGIN":
                self.type_credentials()
            seq = self.client.enter() if state["workflow_state"] == "ABANDON" else self.client.keys("CANCEL")
            self.client.state(since=seq, wait_s=1.0)
        return False

    def type_credentials(self) -> None:
        """From LOGIN: the operator's number and PIN; ends at MENU or RESUME."""
        operator = self.client.info()["operator"]
        self.client.type(operator["no"])
        self.client.enter()
        self.client.type(operator["pin"])
        self.client.enter()
        self.client.wait(lambda state: state["workflow_state"] != "LOGIN", "signed in")

    # -- sales ----------------------------------------------------------------------------------------------------

    def untouched(self, kind: str) -> dict[str, Any]:
        """Return the demo sale of a kind as the demo data has it; makes everything fresh if it was given out before."""
        if kind in self._use.kinds:
            self.open_fresh()
        self._use.kinds.add(kind)
        return self.sale(kind)

    def spare(self) -> dict[str, Any]:
        """Return a demo sale that no test has touched: WeChat, 20.00 … 59.00 yuan."""
        spares = [sale for sale in self.client.sales() if sale["kind"] == "spare"]
        sale: dict[str, Any] = spares[self._use.spares]
        self._use.spares += 1
        return sale

    def scan(self, sale: dict[str, Any]) -> None:
        """Scan a sale's code; ends at SALE."""
        self.scan_code(sale["code"])
        self.client.wait_state("SALE")

    def scan_code(self, code: str) -> None:
        """Scan as a person would: the same code not twice within the time in which it counts as read once."""
        last, at_s = self._use.last_code
        if code == last:
            time.sleep(max(0.0, at_s + REREAD_S - time.monotonic()))
        self.client.scan(code)
        self._use.last_code = (code, time.monotonic())

    def scan_sale(self, kind: str) -> dict[str, Any]:
        """Scan the demo sale of a kind; ends at SALE. Returns the sale."""
        sale = self.sale(kind)
        self.scan(sale)
        return sale

    def to_confirm(self, sale: dict[str, Any], reason_key: str = "1") -> None:
        """From MENU to CONFIRM: the whole amount of a sale."""
        self.scan(sale)
        self.choose_all()
        self.client.keys(reason_key)
        self.client.wait_state("CONFIRM")

    def refund(self, sale: dict[str, Any]) -> str:
        """From MENU to RESULT: a full refund of a sale. Returns the request's number."""
        self.to_confirm(sale)
        return self.submit()

    def refund_part(self, sale: dict[str, Any], yuan: str) -> str:
        """From MENU to RESULT: a part of a sale. Returns the request's number."""
        self.scan(sale)
        self.choose_part(yuan)
        self.client.wait_state("REASON")
        return self.confirm()

    def submit(self) -> str:
        """From CONFIRM: 确认; ends at RESULT. Returns the request's number."""
        self.client.enter()
        request_id: str = self.client.wait_state("RESULT")["daemon"]["last_request_id"]
        return request_id

    def to_menu(self) -> None:
        """Close the screen that is open; ends at MENU."""
        self.client.keys("CANCEL")
        self.client.wait_state("MENU")

    def open_status(self, request_id: str, words: str) -> str:
        """From MENU: scan the request's own slip and wait until STATUS says `words`. Returns the screen."""
        self.client.scan(request_id)
        self.client.wait_state("STATUS")
        state = self.client.wait_screen(words, timeout_s=20)
        return "\n".join(state["screens"]["operator"]["lines"])

    # -- what came of it ------------------------------------------------------------------------------------------

    def slips(self) -> list[dict[str, Any]]:
        """Return the slips of this test, oldest first."""
        return self.client.slips()[self._slips_before :]

    def wait_slips(self, count: int) -> list[dict[str, Any]]:
        """Wait until at least `count` slips of this test are out."""
        return self.client.wait_slips(self._slips_before + count)[self._slips_before :]

    def codes_on(self, slip: dict[str, Any]) -> list[str]:
        """Return the numbers that an independent decoder reads from a slip's picture."""
        return [code for code in self._decoded(slip) if not code.startswith(RESCUE_PREFIX)]

    def rescue_codes_on(self, slip: dict[str, Any]) -> list[str]:
        """Return the signed requests that an independent decoder reads from a slip's picture."""
        return [code for code in self._decoded(slip) if code.startswith(RESCUE_PREFIX)]

    def _decoded(self, slip: dict[str, Any]) -> list[str]:
        return decode_png(self.client.slip_png(slip["id"]))

    def stored(self, request_id: str) -> dict[str, Any]:
        """Return the back office's one row of a request.

        Raises:
            AssertionError: There is none, or more than one.
        """
        rows = [row for row in self.client.requests() if row["refund_request_id"] == request_id]
        assert len(rows) == 1, f"{len(rows)} rows of {request_id}"
        return rows[0]

    def wait_stored(self, request_id: str, state: str) -> dict[str, Any]:
        """Wait until the back office has a request in a state; returns its row."""
        self.client.wait_sent(timeout_s=40)
        found: dict[str, Any] = {}

        def is_there(_state: dict[str, Any]) -> bool:
            found.update(self.stored(request_id))
            return bool(found["state"] == state)

        self.client.wait(is_there, f"{request_id} {state} at the back office, it is {found.get('state')}")
        return found

    def moved(self, request_id: str) -> list[int]:
        """Return the amounts that the acquirer moved under a request's number, in minor units."""
        movements = self.client.movements()
        return [one["amount_minor"] for one in movements if one["refund_no"].endswith(request_id)]

    def wait_printed(self) -> None:
        """Wait until no print job is waiting or under way, and the printer has brought to paper what it had taken."""
        self.client.wait(lambda state: not state["daemon"]["printer_jobs"], "all print jobs ended", timeout_s=20)
        before, paper = -1, self.client.call("GET", "/slips")["slip_seq"]
        while paper != before:
            before = paper
            paper = self.client.call("GET", "/slips", params={"since": before, "wait_s": _PAPER_RESTS_S})["slip_seq"]

    def wait_moved(self, request_id: str) -> list[int]:
        """Wait until the acquirer has moved money under a request's number."""
        self.client.wait(lambda _state: bool(self.moved(request_id)), "a movement of money")
        return self.moved(request_id)

    def counter(self, device: str, name: str) -> int:
        """Return a counter of a device, as the daemon tells it."""
        devices: list[dict[str, Any]] = self.client.state()["daemon"]["devices"]
        found = next(one for one in devices if one["name"] == device)
        return int(found["counters"].get(name, 0))

    def wait_counter(self, device: str, name: str, *, above: int) -> None:
        """Wait until a counter of a device is higher than `above`."""
        self.client.wait(lambda _state: self.counter(device, name) > above, f"{device} {name} > {above}")

    def beeps(self) -> int:
        """Return how often the operator display has beeped."""
        return int(self.client.state()["screens"]["operator"]["beeps"])
