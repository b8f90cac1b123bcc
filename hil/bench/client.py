"""A client of the bench API for scripts and tests; knows nothing but the HTTP calls."""

import time
from collections.abc import Callable
from typing import Any

import httpx

#: Dead times of 确认 by view, plus a margin; screens.md section 3.
_DEAD_S = {"confirm": 0.65, "result": 1.05}
_DEAD_DEFAULT_S = 0.27
Predicate = Callable[[list[str]], bool]


class BenchError(AssertionError):
    """The bench refused a call; `code` is its stable word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class ScreenTimeoutError(AssertionError):
    """The screen did not show what was waited for; the text holds what it showed last."""


class BenchClient:
    """Drives a bench.

    Args:
        api: Address of the API, ending in ``/api/v1``.
        timeout_s: Default of all waits.
        http: Another HTTP client than a new one, for tests of this class.
    """

    def __init__(self, api: str, *, timeout_s: float = 10.0, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(base_url=api, timeout=90.0, trust_env=False)
        self.timeout_s = timeout_s

    def __enter__(self) -> "BenchClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make any call and return its JSON.

        Raises:
            BenchError: The bench refused.
        """
        response = self._http.request(method, path, **arguments)
        if response.is_error:
            error = response.json()["error"]
            raise BenchError(error["code"], f"{error['message']} ({error['hint']})")
        return response.json()

    # What a cashier does

    def keys(self, *keys: str, hold_ms: int = 0, gap_ms: int = 25) -> int:
        """Press keys; returns the screen's number from before."""
        wanted = {"keys": list(keys), "hold_ms": hold_ms, "gap_ms": gap_ms}
        seq: int = self.call("POST", "/keys", json=wanted)["screen_seq"]
        return seq

    def type(self, text: str) -> int:
        """Type digits and dots."""
        return self.keys(*("DOT" if character == "." else character for character in text))

    def enter(self) -> int:
        """Press 确认 as a person would: after the dead time that follows a change of the screen."""
        self.wait_enter_alive()
        return self.keys("ENTER")

    def wait_enter_alive(self) -> None:
        """Let the dead time of 确认 pass, counted from now: the view on the screen says how long it is."""
        time.sleep(_DEAD_S.get(self.state()["view"] or "", _DEAD_DEFAULT_S))

    def scan(self, data: str, **options: Any) -> int:
        """Scan a code; returns the screen's number from before."""
        seq: int = self.call("POST", "/scan", json={"data": data, **options})["screen_seq"]
        return seq

    def choose_scanner(self, kind: str) -> None:
        """Put another scanner on the till, and wait until it is in use."""
        self.call("POST", "/scanner", json={"kind": kind})
        self.wait_device("scanner", is_online=True)

    def show(self, picture: bytes) -> int:
        """Hold a picture before the camera."""
        seq: int = self.call("POST", "/camera", content=picture)["screen_seq"]
        return seq

    def scan_hex(self, data: bytes, **options: Any) -> int:
        """Make the scanner send these bytes."""
        seq: int = self.call("POST", "/scan", json={"hex": data.hex(), **options})["screen_seq"]
        return seq

    def sign_in(self, who: str = "operator") -> None:
        """Sign in at the till; ends at MENU."""
        person = self.info()[who]
        self.wait_state("LOGIN")
        self.type(person["no"])
        self.enter()
        self.type(person["pin"])
        self.enter()
        self.wait_state("MENU")

    # What a cashier sees

    def state(self, *, since: int | None = None, wait_s: float = 0.0) -> dict[str, Any]:
        """Return the state; with `since`, only after a screen has changed or `wait_s` is over."""
        query: dict[str, Any] = {} if since is None else {"since": since, "wait_s": wait_s}
        state: dict[str, Any] = self.call("GET", "/state", params=query)
        return state

    def screen(self, display: str = "operator") -> str:
        """Return a display's text."""
        return "\n".join(self.state()["screens"][display]["lines"])

    def wait_screen(
        self, wanted: str | Predicate, *, timeout_s: float | None = None, display: str = "operator"
    ) -> dict[str, Any]:
        """Wait until a display shows a text, or its lines satisfy a predicate; returns the state.

        Raises:
            ScreenTimeoutError: It did not.
        """

        def is_met(state: dict[str, Any]) -> bool:
            lines: list[str] = state["screens"][display]["lines"]
            return wanted in "\n".join(lines) if isinstance(wanted, str) else wanted(lines)

        return self._wait(is_met, timeout_s, f"screen {wanted!r}")

    def wait_state(self, workflow_state: str, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the refund menu is in a state; returns the bench's state."""
        return self._wait(lambda state: state["workflow_state"] == workflow_state, timeout_s, workflow_state)

    def wait(self, is_met: Callable[[dict[str, Any]], bool], what: str, *, timeout_s: float | None = None) -> Any:
        """Wait until the bench's state satisfies a predicate."""
        return self._wait(is_met, timeout_s, what)

    def wait_device(self, name: str, *, is_online: bool, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the daemon says that a device is there, or gone."""

        def is_met(state: dict[str, Any]) -> bool:
            return name in state["devices"] and state["devices"][name]["online"] is is_online

        return self._wait(is_met, timeout_s, f"{name} {'online' if is_online else 'offline'}")

    def wait_sent(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the outbox is empty: the back office has acknowledged everything."""
        empty = {"queued": 0, "sent": 0, "held": 0}
        return self._wait(lambda state: state["outbox"] == empty, timeout_s, "an empty outbox")

    def _wait(self, is_met: Callable[[dict[str, Any]], bool], timeout_s: float | None, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        state = self.state()
        while not is_met(state):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                shown = "\n".join(state["screens"]["operator"]["lines"])
                raise ScreenTimeoutError(f"waited for {what}; state={state['workflow_state']}, screen:\n{shown}")
            # Devices and counts change without a screen: look again at least every 200 ms.
            state = self.state(since=state["seq"], wait_s=min(left_s, 0.2))
        return state

    # Paper

    def slips(self) -> list[dict[str, Any]]:
        """Return all slips, oldest first."""
        slips: list[dict[str, Any]] = self.call("GET", "/slips")["slips"]
        return slips

    def wait_slips(self, count: int, *, timeout_s: float = 20.0) -> list[dict[str, Any]]:
        """Wait until at least `count` slips have come out."""
        deadline = time.monotonic() + timeout_s
        answer = self.call("GET", "/slips")
        while len(answer["slips"]) < count:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ScreenTimeoutError(f"{len(answer['slips'])} slips, wanted {count}; screen:\n{self.screen()}")
            answer = self.call("GET", "/slips", params={"since": answer["slip_seq"], "wait_s": min(left_s, 5.0)})
        slips: list[dict[str, Any]] = answer["slips"]
        return slips

    def slip_png(self, slip_id: str) -> bytes:
        """Return a slip's picture."""
        response = self._http.get(f"/slips/{slip_id}.png")
        response.raise_for_status()
        return response.content

    # The world around the till

    def info(self) -> dict[str, Any]:
        """Return operators, PINs, the back office's address and users."""
        info: dict[str, Any] = self.call("GET", "/info")
        return info

    def sales(self) -> list[dict[str, Any]]:
        """Return the demo sales."""
        sales: list[dict[str, Any]] = self.call("GET", "/sales")["sales"]
        return sales

    def decide(self, refund_request_id: str, decision: str, reason: str = "", user: str = "") -> dict[str, Any]:
        """Decide a request: approve, reject, need_info, release, retry; as the first reviewer or as `user`."""
        wanted = {"refund_request_id": refund_request_id, "decision": decision, "reason": reason, "user": user}
        answer: dict[str, Any] = self.call("POST", "/backoffice/decide", json=wanted)
        return answer

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that the back office has, newest first."""
        requests: list[dict[str, Any]] = self.call("GET", "/backoffice/requests")["requests"]
        return requests

    def wait_requests(
        self, is_met: Callable[[list[dict[str, Any]]], bool], *, timeout_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Wait until the back office's requests satisfy a predicate."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while not is_met(requests := self.requests()):
            if time.monotonic() > deadline:
                raise ScreenTimeoutError(f"the back office has {requests}; screen:\n{self.screen()}")
            time.sleep(0.1)
        return requests

    def movements(self) -> list[dict[str, Any]]:
        """Return every movement of money, from the acquirer's own ledger."""
        movements: list[dict[str, Any]] = self.call("GET", "/acquirer/movements")["movements"]
        return movements

    def fault(self, kind: str, device: str = "", **params: Any) -> str:
        """Switch a fault on; returns its id."""
        fault_id: str = self.call("POST", "/faults", json={"kind": kind, "device": device, "params": params})["id"]
        return fault_id

    def clear_fault(self, fault_id: str) -> None:
        """Switch a fault off."""
        self.call("DELETE", f"/faults/{fault_id}")

    def unplug(self, device: str) -> None:
        """Pull a device's cable."""
        self.call("POST", f"/devices/{device}/unplug")

    def plug(self, device: str) -> None:
        """Put a device's cable back."""
        self.call("POST", f"/devices/{device}/plug")

    def broker(self, verb: str) -> None:
        """Break the network, or mend it: up, down, stall, wipe."""
        self.call("POST", f"/broker/{verb}")

    def back_office(self, verb: str) -> None:
        """Up, down, slow, stall."""
        self.call("POST", f"/backoffice/{verb}")

    def acquirer(self, *answers: str, settle: bool = False) -> None:
        """Queue what the acquirer answers next; `settle` lets refunds that are processing succeed now."""
        self.call("POST", "/acquirer", json={"next": list(answers), "settle": settle})

    def power(self, verb: str) -> None:
        """Cut the till's power, or switch it on: cut, on."""
        self.call("POST", f"/power/{verb}")

    def clock(self, skew_s: int) -> None:
        """Make the till's clock wrong."""
        self.call("POST", "/clock", json={"skew_s": skew_s})

    def reset(self) -> None:
        """Make everything fresh."""
        self.call("POST", "/reset", json={})
