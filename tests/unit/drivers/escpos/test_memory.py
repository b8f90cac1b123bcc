"""What is remembered of printers over restarts: the till's own one, and what each has done (field.md 18)."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from drivers.escpos.memory import NAME, Keeper, Memory, load, save
from drivers.escpos.printer import EscposPrinter
from drivers.escpos.profile import Life, Profile, Tier
from drivers.escpos.timing import Usage
from drivers.escpos.wear import Wear
from drivers.links.opener import Opener
from pos_agent.devices.interfaces import CashDrawer, ReplaceablePrinter, ToneIndicator
from pos_agent.domain.events import DeviceStatusChanged, Event
from pos_agent.domain.slip import PrintOutcome
from tests.unit.drivers.escpos.fake_link import FakeLink
from tests.unit.drivers.escpos.rig import ASB_READY, FAST, JOB, PAPER_OUT, READY

OWN, OTHER = "04b8:0e28:0100:A:MFG:EPSON:1.2", "04b8:0e28:0100:B:MFG:EPSON:1.2"
ABLE = msgspec.structs.replace(
    FAST, profile_id="able", has_asb=True, has_dle_eot=True, has_transmit_status=True, tier=Tier.PROCESSED
)
_QUESTIONS = (b"\x1da", b"\x10\x04", b"\x1dr", b"\x1d(H")


class Till:
    """One run of the daemon with its printer; `restart` is the next one on the same card."""

    def __init__(self, folder: Path, profile: Profile = ABLE, *, identity: str = OWN, every_s: float = 0.0) -> None:
        self.path = folder / NAME
        self.link = FakeLink()
        self.link.identity = identity
        self.link.answers[b"\x1da\xff"] = ASB_READY
        for n in (1, 2, 3, 4):
            self.link.answers[bytes((0x10, 4, n))] = b"\x12"
        self.events: list[Event] = []
        self.keeper = Keeper(self.path, profile_id=profile.profile_id, opener=Opener(), save_every_s=every_s)
        self.printer = EscposPrinter(profile, self.link, sink=self.events.append, watch_s=0.001, keeper=self.keeper)

    def codes(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, DeviceStatusChanged)]

    async def start(self) -> None:
        await self.printer.open()
        await asyncio.sleep(0)

    async def print(self) -> PrintOutcome:
        return (await self.printer.print_job(JOB, on_paused=lambda _: None)).outcome

    @property
    def was_asked(self) -> bool:
        return any(question in self.link.received for question in _QUESTIONS)


@pytest.fixture(autouse=True)
def silent_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No printer here answers what stands behind a job."""
    monkeypatch.setattr("drivers.escpos.job.ANSWER_GRACE_S", 0.0)


async def test_first_printer_is_the_tills_own_after_a_restart_too(tmp_path: Path) -> None:
    first = Till(tmp_path)
    await first.start()
    await first.printer.close()
    assert load(first.path).accepted == OWN

    again = Till(tmp_path)
    await again.start()
    assert again.printer.status.notice == ""
    assert again.printer.status.shown_code == ""
    await again.printer.close()


@pytest.fixture
async def swapped(tmp_path: Path) -> Till:
    own = Till(tmp_path)
    await own.start()
    await own.printer.close()
    till = Till(tmp_path, identity=OTHER)
    del till.link.answers[b"\x1da\xff"]
    for n in (1, 2, 3, 4):
        del till.link.answers[bytes((0x10, 4, n))]
    await till.start()
    return till


async def test_another_printer_after_a_restart_is_told_asked_nothing_and_claimed_least(swapped: Till) -> None:
    assert swapped.codes() == ["printer_swapped"]
    assert swapped.printer.status.is_online, "it prints all the same"
    assert await swapped.print() is PrintOutcome.SENT
    assert bytes(swapped.link.received) == JOB, "not one question: a clone would print it"
    assert swapped.printer.counters["PrinterSwapCount"] == 1
    await swapped.printer.close()


async def test_another_printer_stays_another_until_a_person_says_so(swapped: Till, tmp_path: Path) -> None:
    await swapped.printer.close()
    again = Till(tmp_path, identity=OTHER)
    await again.start()
    assert again.printer.status.notice == "printer_swapped"
    assert await again.printer.accept()
    assert again.codes()[-1] == ""
    assert load(again.path).accepted == OTHER
    assert not await again.printer.accept(), "it is the till's own already"
    await again.printer.close()

    after = Till(tmp_path, identity=OTHER)
    await after.start()
    assert after.printer.status.notice == ""
    await after.printer.close()


async def test_own_printer_that_comes_back_is_trusted_again(swapped: Till) -> None:
    await swapped.printer.close()
    swapped.link.identity = OWN
    await swapped.printer.open()
    assert swapped.printer.status.notice == ""
    assert swapped.was_asked, "it may be asked again"
    await swapped.printer.close()


async def test_accept_without_a_printer_accepts_nothing(swapped: Till) -> None:
    await swapped.printer.close()
    assert not await swapped.printer.accept()
    assert load(swapped.path).accepted == OWN


async def test_profile_that_a_person_changed_says_that_the_printer_was_changed(swapped: Till, tmp_path: Path) -> None:
    await swapped.printer.close()
    other = Till(tmp_path, msgspec.structs.replace(ABLE, profile_id="other"), identity=OTHER)
    await other.start()
    assert other.printer.status.notice == ""
    await other.printer.close()


async def test_link_that_cannot_tell_printers_apart_never_tells_of_a_swap(swapped: Till, tmp_path: Path) -> None:
    await swapped.printer.close()
    unknown = Till(tmp_path, identity="")
    await unknown.start()
    assert unknown.printer.status.notice == ""
    await unknown.printer.close()
    assert load(unknown.path).accepted == OWN, "and forgets none"


# -- wear ------------------------------------------------------------------------------------------------------------


async def test_counts_survive_a_restart_and_belong_to_their_printer(tmp_path: Path) -> None:
    till = Till(tmp_path)
    await till.start()
    await till.print()
    await till.printer.close()

    again = Till(tmp_path)
    await again.start()
    await again.print()
    assert again.printer.counters["PaperFedMm"] == 300
    await again.printer.close()

    other = Till(tmp_path, identity=OTHER)
    await other.start()
    assert other.printer.counters["PaperFedMm"] == 0
    await other.printer.close()
    assert [wear.identity for wear in load(again.path).wears] == [OWN], "who printed nothing is not kept"


async def test_card_is_written_rarely_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Memory] = []
    monkeypatch.setattr("drivers.escpos.memory.save", lambda _, memory: written.append(memory))
    till = Till(tmp_path, every_s=600.0)
    await till.start()
    for _ in range(50):
        await till.print()
    assert len(written) == 1, "the printer was accepted; the counts wait"
    await till.printer.close()
    assert len(written) == 2
    assert written[-1].wears[0].roll_slips == 50


async def test_full_card_stops_no_slip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Memory] = []

    def full(_: Path, memory: Memory) -> None:
        tries.append(memory)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("drivers.escpos.memory.save", full)
    till = Till(tmp_path)
    await till.start()
    await till.print()
    assert till.printer.wear.roll_slips == 1
    for _ in range(5):
        await till.printer.close()
    assert len(tries) == 2, "an absent printer is closed every 2 s: no line in the log for each"


async def test_low_paper_by_count_is_told_once_and_a_new_roll_ends_it(tmp_path: Path) -> None:
    profile = msgspec.structs.replace(FAST, profile_id="able", life=Life(roll_mm=25 * 150.0))
    till = Till(tmp_path, profile)
    await till.start()
    for _ in range(7):
        await till.print()
    assert till.codes() == ["paper_low"], "from the fifth slip on twenty are left, and it is said once"
    assert till.printer.counters["SlipsLeftCount"] == 18
    for port in (PAPER_OUT, READY):
        till.printer.take_idle(port, b"")
    assert till.codes() == ["paper_low", "EPTR_REC_EMPTY", ""]
    assert till.printer.wear.roll_slips == 0
    await till.printer.close()


async def test_low_paper_is_not_told_by_a_printer_that_sees_no_new_roll(tmp_path: Path) -> None:
    profile = msgspec.structs.replace(
        FAST, profile_id="able", has_port_status=False, tier=Tier.SENT, life=Life(roll_mm=150.0)
    )
    till = Till(tmp_path, profile)
    await till.start()
    await till.print()
    assert till.codes() == []
    await till.printer.close()


def test_memory_keeps_four_printers_the_latest_ones() -> None:
    memory = Memory()
    for number in range(6):
        memory = memory.with_wear(Wear(identity=str(number)).after_slip(Usage(paper_mm=1.0, cuts=1), 1.0))
    memory = memory.with_wear(memory.wear_of("2").after_roll_change())
    assert [wear.identity for wear in memory.wears] == ["3", "4", "5", "2"]


@pytest.mark.parametrize("left", [b'{"accepted":"\xff"}', b"[" * 100_000, b"\0" * 40, b"{", b""])
def test_memory_that_a_power_cut_spoilt_says_nothing(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / NAME
    assert load(path) == Memory()
    path.write_bytes(left)
    assert load(path) == Memory()
    save(path, Memory(accepted=OWN))
    assert load(path) == Memory(accepted=OWN)
    assert [one.name for one in tmp_path.iterdir()] == [NAME]


def test_printer_has_the_optional_capabilities() -> None:
    printer = EscposPrinter(FAST, FakeLink(), sink=lambda _: None)
    assert isinstance(printer, ReplaceablePrinter)
    assert isinstance(printer, CashDrawer)
    assert isinstance(printer, ToneIndicator)
