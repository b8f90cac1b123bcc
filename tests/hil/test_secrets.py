"""I7: payment codes and PINs are never kept, logged, sent, printed or told; searched for in everything.

The order of one long story is that of a day: sign-in, refunds, codes that come whole, in pieces, by keypad and at the
wrong moment, a dead network, power cuts. Then all processes end and everything they left behind is searched.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import msgspec
import pytest

from hil.bench.client import BenchClient
from tests.hil.conftest import run_bench
from tests.hil.haystack import Haystack, windows
from tests.hil.spy import Spy
from tests.hil.till import BenchUse, Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

#: This much of a code in one place is a leak; chance does not make it.
_WINDOW = 10
#: Prefixes that fix the scheme, without a date that would make a code ambiguous. Source: payments.md section 3.
_SCHEMES = {"wechat": ("1399", 18), "alipay": ("2899", 18), "unionpay": ("6299", 19), "ecny": ("0199", 19)}
_EMVCO_HEAD = "hQVDUFYwMWE"
INCIDENTS = 2
_BASE64_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Secrets(msgspec.Struct):
    """What was planted.

    Attributes:
        codes: Payment codes, all different.
        pins: PINs, right and wrong.
        split: How many codes came in two pieces, by scheme: as many as a code has characters.
    """

    codes: list[str] = []
    pins: list[str] = []
    split: dict[str, int] = {}


class Evidence(msgspec.Struct):
    """What was planted, what is allowed to be found, and where to search."""

    secrets: Secrets
    haystack: Haystack
    trade_no: str
    draft_no: str
    request_id: str


class Day:
    """A day at the till on which every secret is put wherever one can be put."""

    def __init__(self, till: Till, haystack: Haystack) -> None:
        self.till, self.client = till, till.client
        self.secrets = Secrets()
        self._haystack = haystack
        self._random = random.Random(7)
        self._parts = 0
        info = self.client.info()
        self.operator, self.supervisor = info["operator"], info["supervisor"]
        self.secrets.pins += [self.operator["pin"], self.supervisor["pin"]]

    # -- secrets --------------------------------------------------------------------------------------------------

    def code(self, scheme: str) -> str:
        """Return a payment code that nobody has seen."""
        if scheme == "emvco":
            made = _EMVCO_HEAD + "".join(self._random.choices(_BASE64_LETTERS, k=29))
        elif scheme == "ambiguous":
            made = f"{date.today() - timedelta(days=1):%y%m%d}" + self._digits(12)
        else:
            head, length = _SCHEMES[scheme]
            made = head + self._digits(length - len(head))
        self.secrets.codes.append(made)
        return made

    def wrong_pin(self) -> str:
        """Return eight digits that are nobody's PIN."""
        pin = self._digits(8)
        self.secrets.pins.append(pin)
        return pin

    def _digits(self, count: int) -> str:
        return "".join(self._random.choices("0123456789", k=count))

    def look(self, *, is_shown: bool = True) -> None:
        """Keep what the till tells about itself and, unless a field in clear holds a secret, what it shows."""
        self._parts += 1
        state = self.client.state()
        self._haystack.add(f"state-{self._parts}", str(state if is_shown else state["daemon"]))

    # -- the day --------------------------------------------------------------------------------------------------

    def sign_in(self) -> None:
        """PINs in the wrong field, wrong PINs, and the right one; a payment code before anybody is there."""
        self.client.wait_state("LOGIN")
        self.client.scan(self.code("wechat"))
        self._type_credentials(self.operator["pin"], self.wrong_pin())
        self.client.wait_screen("密码错")
        self.look(is_shown=False)  # an operator's number is shown while it is typed, whatever was typed
        self.client.keys("CANCEL")
        self._type_credentials(self.operator["no"], self.wrong_pin())
        self.client.wait_screen("还可试4次")
        self.look()
        self.client.type(self.operator["pin"])
        self.client.wait_screen("****")
        self.look()
        self.client.enter()
        self.client.wait_state("MENU")

    def _type_credentials(self, number: str, pin: str) -> None:
        self.client.type(number)
        self.client.enter()
        self.client.type(pin)
        self.client.enter()

    def refund_with_codes_at_every_step(self) -> str:
        """Refund a sale that needs a supervisor, with a payment code scanned on each screen of it."""
        sale = self.till.scan_sale("alipay")
        self._scan_where_it_is_dropped()
        self.till.choose_all()
        self._scan_where_it_is_dropped()
        self.client.keys("1")
        self.client.wait_state("CONFIRM")
        self._scan_where_it_is_dropped()
        self.client.enter()
        self.client.wait_state("SUPERVISOR")
        self._scan_where_it_is_dropped()
        self.client.keys("NEXT")
        self.client.wait_state("APPROVAL")
        self.till.wait_slips(1)
        self._scan_where_it_is_dropped()
        self.client.keys("CLEAR")
        self.client.wait_state("SUPERVISOR")
        self._type_credentials(self.supervisor["no"], self.wrong_pin())
        self.client.wait_screen("还可试4次")
        self.client.type(self.supervisor["pin"])
        self.client.wait_screen("****")
        self.look()
        self.client.enter()
        request_id: str = self.client.wait_state("RESULT")["daemon"]["last_request_id"]
        self.till.wait_slips(3)
        self.till.to_menu()
        self.client.decide(request_id, "approve")
        self.till.wait_slips(4)
        assert sale["paid_minor"] == 25600
        return request_id

    def _scan_where_it_is_dropped(self) -> None:
        beeps = self.till.beeps()
        self.client.scan(self.code("wechat"))
        self.client.wait(lambda _state: self.till.beeps() > beeps, "an error beep")
        self.look()

    def scan_whole_and_split(self) -> None:
        """Scan codes of every scheme: whole, and in two pieces split at every place."""
        for scheme in (*_SCHEMES, "emvco"):
            self._scan_pay_code(self.code(scheme))
            length = len(self.secrets.codes[-1])
            self.secrets.split[scheme] = length
            for place in range(1, length + 1):
                self._scan_pay_code(self.code(scheme), [place])
            self.client.wait_screen("这是付款码,不能退款")
            self.look()
        self.till.to_menu()

    def _scan_pay_code(self, code: str, chunks: list[int] | None = None) -> None:
        scans = self.till.counter("scanner", "GoodScanCount")
        self.client.scan(code, chunks=chunks)
        self.till.wait_counter("scanner", "GoodScanCount", above=scans)

    def type_codes(self) -> None:
        """Type codes: as an order number, as an amount, as the tail of a request."""
        for scheme in _SCHEMES:
            self.client.keys("1")
            self.client.wait_state("SCAN")
            self.client.type(self.code(scheme))
            self.client.enter()
            self.client.wait_screen("这是付款码,不能退款")
            self.look()
            self.till.to_menu()
        self._open_find()
        self.client.type(self.code("wechat"))
        self.client.enter()
        self.till.to_menu()
        self.till.scan_sale("small")
        self.till.choose_part(self.code("alipay"))
        self._abandon()

    def _open_find(self) -> None:
        """From MENU to FIND; results that nobody has looked at come first."""
        seen = ""
        while seen != "FIND":
            self.client.keys("2")
            state = self.client.wait(lambda now: now["workflow_state"] in ("FIND", "STATUS"), "FIND or a result")
            seen = state["workflow_state"]
            if seen == "STATUS":
                self.till.to_menu()

    def _abandon(self) -> None:
        self.client.keys("CANCEL")
        self.client.wait_state("ABANDON")
        self.client.enter()
        self.client.wait_state("MENU")

    def ask_about_ambiguous(self) -> None:
        """A code that could be an order number: given up, looked up by its hash, cut off by the power."""
        self.client.scan(self.code("ambiguous"))
        self.client.wait_state("AMBIGUOUS")
        self.look()
        self.client.keys("2")
        self.client.wait_state("SCAN")
        self.client.scan(self.code("ambiguous"))
        self.client.wait_state("AMBIGUOUS")
        self.client.keys("1")
        self.client.wait_state("NOT_FOUND")
        self.look()
        self.client.scan(self.code("ambiguous"))
        self.client.wait_state("AMBIGUOUS")
        self._cut_power()

    def cut_power_while_typing(self) -> None:
        """The power goes with a code in the field, and with a PIN in the field."""
        self.client.keys("1")
        self.client.wait_state("SCAN")
        self.client.type(self.code("unionpay"))
        self._cut_power(pin=self.wrong_pin())

    def _cut_power(self, pin: str = "") -> None:
        if pin:
            self.client.power("cut")
            self.till.power_on()
            self.client.type(self.operator["no"])
            self.client.enter()
            self.client.type(pin)
        self.client.power("cut")
        self.till.power_on()
        self.till.type_credentials()
        self.look()
        if self.client.state()["workflow_state"] != "MENU":
            self.till.to_menu()

    def go_offline(self) -> None:
        """Without a network: what would be sent is kept, and that is where a code could hide."""
        self.client.wait(lambda state: state["daemon"]["is_back_office_present"], "the back office", timeout_s=20)
        self.client.broker("down")
        self.client.wait(lambda state: not state["daemon"]["is_broker_connected"], "offline")
        self.client.scan(self.code("wechat"))
        self.client.wait_state("PAY_CODE")
        self.client.scan(self.code("ambiguous"))
        self.client.wait_state("AMBIGUOUS")
        self.client.keys("1")
        self.client.wait_state("NO_LOOKUP")
        self.look()
        self._abandon()
        self.client.broker("up")
        self.client.wait(lambda state: state["daemon"]["is_back_office_present"], "the back office", timeout_s=40)

    def save_incident(self) -> None:
        """From MENU: have the flight recorder write what it holds."""
        self.client.keys("FN", "9")
        self.client.wait_state("SERVICE")
        self.client.keys("1")
        self.client.wait_screen("现场记录已存")
        self.till.to_menu()

    def play(self) -> str:
        """Do it all; returns the number of the one request."""
        self.sign_in()
        request_id = self.refund_with_codes_at_every_step()
        steps: list[Callable[[], None]] = [self.scan_whole_and_split, self.type_codes, self.save_incident]
        for step in (*steps, self.ask_about_ambiguous, self.cut_power_while_typing, self.go_offline):
            step()
        self.save_incident()
        self.till.wait_printed()
        self.till.scan_sale("wechat")  # stays open: its draft is on the disk when everything ends
        for slip in self.client.slips():
            self._haystack.add(f"slip-{slip['id']}", slip["text"])
        return request_id


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """A day with secrets everywhere; all processes have ended in order."""
    haystack = Haystack()
    with (
        run_bench(tmp_path_factory.mktemp("secrets"), "--spy", "--log-level", "DEBUG", "--pin-digits", "8") as bench,
        BenchClient(bench.info["api"]) as client,
        Spy(bench.state_dir, bench.info["terminal_id"]) as spy,
    ):
        day = Day(Till(client, BenchUse()), haystack)
        refunded, begun = day.till.sale("alipay"), day.till.sale("wechat")
        request_id = day.play()
        for number, heard in enumerate(spy.heard()):
            haystack.add(f"message-{number} {heard.topic}", heard.payload)
    haystack.add_files(bench.state_dir)
    for path in bench.state_dir.rglob("incident-*.jsonl"):  # one key a line: joined, as a person would read them
        steps = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        haystack.add(f"{path.name}-keys", "".join(step.get("data", {}).get("key", "") for step in steps))
    haystack.add("bench.log", bench.log_path.read_bytes())
    yield Evidence(day.secrets, haystack, refunded["code"], begun["code"], request_id)


def test_search_finds_what_may_be_kept_in_every_kind_of_place(evidence: Evidence) -> None:
    found = evidence.haystack.find([evidence.trade_no, evidence.draft_no, evidence.request_id, "t-demo-01"])
    places = " ".join(found[evidence.request_id])
    for place in ("data/journal", "backoffice/backoffice.db", "up/refund", "down/refund", "state-"):
        assert place in places
    assert "up/refund" in " ".join(found[evidence.trade_no])
    assert "data/draft" in " ".join(found[evidence.draft_no])
    everywhere = " ".join(set.union(*found.values()))
    assert sum(name.endswith(".jsonl") and "incidents/" in name for name in evidence.haystack.names) == INCIDENTS
    for place in ("logs/daemon.log", "logs/broker.log", "slip-", "broker/persistence"):
        assert place in everywhere, f"nothing of {place}"


def test_codes_split_at_every_place_were_each_taken_for_a_payment_code(evidence: Evidence) -> None:
    secrets = evidence.secrets
    assert len(set(secrets.codes)) == len(secrets.codes)
    for scheme, splits in secrets.split.items():
        told = evidence.haystack.count("logs/daemon.log", f"scheme={scheme} length={splits}")
        assert told >= splits + 1, f"{scheme}: {told} of {splits + 1}"


def test_no_part_of_a_payment_code_is_found_anywhere(evidence: Evidence) -> None:
    parts = {part for code in evidence.secrets.codes for part in windows(code, _WINDOW)}
    shared = set(windows(_EMVCO_HEAD, _WINDOW))
    assert evidence.haystack.find(parts - shared) == {}


def test_no_pin_is_found_anywhere(evidence: Evidence) -> None:
    assert len(evidence.secrets.pins) >= 6
    assert evidence.haystack.find(evidence.secrets.pins) == {}
