"""I7 and ADR 0015: payment codes as a bad scanner sends them are looked up, kept and sent by nobody.

Prefixed, cut in two frames, joined to other codes, with a byte lost or changed. Then all processes end and everything
they left behind is searched.
"""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from hil.bench.client import BenchClient
from tests.hil.conftest import run_bench
from tests.hil.haystack import Haystack, windows
from tests.hil.spy import Spy
from tests.hil.test_secrets import Day
from tests.hil.till import BenchUse, Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

_WINDOW = 10
_SCHEMES = ("wechat", "alipay", "unionpay", "ecny")
_EAN = "6901234567892"
#: What a bad scanner makes of a code: the frames that arrive.
_SPOILT: tuple[Callable[[str], tuple[str, ...]], ...] = (
    lambda code: (f"A{code}",),
    lambda code: (f"x{code}Z",),
    lambda code: (f"]C0]C0{code}",),
    lambda code: (code[: len(code) // 2], code[len(code) // 2 :]),
    lambda code: (code[:13], code[13:]),
    lambda code: (code[1:],),
    lambda code: (code[:-1],),
    lambda code: (_EAN + code,),
    lambda code: (code + _EAN,),
    lambda code: (f"2026112201{code}",),
    lambda code: (f"{code[:5]}q{code[6:]}",),
    lambda code: (" ".join(code[at : at + 4] for at in range(0, len(code), 4)),),
    lambda code: ("".join(chr(ord("\uff10") + int(digit)) for digit in code),),
)
#: Where the till may stand after such a frame: nothing was looked up.
_NOTHING_SENT = ("PAY_CODE", "AMBIGUOUS", "NOT_FOUND", "BAD_CODE", "GOODS")


class Evidence(msgspec.Struct):
    """What was planted, and where to search."""

    codes: list[str]
    haystack: Haystack
    trade_no: str


class BadScanner(Day):
    """A till whose scanner spoils every payment code."""

    def play_spoilt(self) -> None:
        """Sign in and scan codes of every scheme, spoilt in every way; one sale, to prove that the search works."""
        self.till.type_credentials()
        for scheme in _SCHEMES:
            for spoil in _SPOILT:
                for text in spoil(self.code(scheme)):
                    self._scan_once(text)
            self.look()
        self.client.scan(self.till.sale("alipay")["code"])
        self.client.wait_state("SALE")

    def _scan_once(self, text: str) -> None:
        self.client.scan(text)
        state = self.client.wait(lambda now: now["workflow_state"] != "MENU", "what was scanned")["workflow_state"]
        assert state in _NOTHING_SENT, f"{state} after {len(text)} characters"
        self.till.to_menu()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """A day with a bad scanner; all processes have ended in order."""
    haystack = Haystack()
    with (
        run_bench(tmp_path_factory.mktemp("spoilt"), "--spy", "--log-level", "DEBUG") as bench,
        BenchClient(bench.info["api"]) as client,
        Spy(bench.state_dir, bench.info["terminal_id"]) as spy,
    ):
        day = BadScanner(Till(client, BenchUse()), haystack)
        trade_no = day.till.sale("alipay")["code"]
        day.play_spoilt()
        for number, heard in enumerate(spy.heard()):
            haystack.add(f"message-{number} {heard.topic}", heard.payload)
    haystack.add_files(bench.state_dir)
    haystack.add("bench.log", bench.log_path.read_bytes())
    yield Evidence(day.secrets.codes, haystack, trade_no)


def test_search_finds_the_sale_that_was_looked_up(evidence: Evidence) -> None:
    head = evidence.trade_no[:_WINDOW]
    assert "up/query" in " ".join(evidence.haystack.find_digits([head], _WINDOW)[head])


def test_no_part_of_a_spoilt_payment_code_is_found_anywhere(evidence: Evidence) -> None:
    assert len(evidence.codes) == len(_SCHEMES) * len(_SPOILT)
    parts = {part for code in evidence.codes for part in windows(code, _WINDOW)}
    assert evidence.haystack.find_digits(parts, _WINDOW) == {}
