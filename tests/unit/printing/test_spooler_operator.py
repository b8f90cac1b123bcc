"""What a person may say to the spooler: pause and go on, this printer is ours; and drawer and buzzer on occasion."""

import asyncio
from datetime import timedelta

import pytest

from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.errors import PaperEndError
from pos_agent.printing import spooler as spooler_module
from pos_agent.printing.spooler import Spooler
from tests.fakes.journal import FakePrintJobs
from tests.unit.printing.rig import BROKEN, Room, ScriptedPrinter


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooler_module, "READY_GRACE_S", 0.01)
    monkeypatch.setattr(spooler_module, "REFUSED_PAUSE_S", 0.001)


class EquippedPrinter(ScriptedPrinter):
    """A printer with a drawer and a buzzer, in another's place."""

    def __init__(self, jobs: FakePrintJobs) -> None:
        super().__init__(jobs)
        self.done: list[str] = []
        self.trouble: PaperEndError | None = None
        self.changed = asyncio.Event()

    async def open_drawer(self) -> bool:
        return self._do("drawer")

    async def sound(self) -> bool:
        return self._do("sound")

    async def accept(self) -> bool:
        return self._do("accept")

    def _do(self, what: str) -> bool:
        self.done.append(what)
        self.changed.set()
        if self.trouble is not None:
            raise self.trouble
        return True


class EquippedRoom(Room):
    """A spooler whose printer has everything."""

    def __init__(self, *, drawer_kinds: frozenset[SlipKind] = frozenset({SlipKind.SHIFT}), can_sound: bool = True):
        super().__init__()
        self.equipped = EquippedPrinter(self.jobs)
        self.spooler = Spooler(
            self.jobs,
            self.equipped,
            clock=self.clock,
            sink=self._take,
            expiry_s=3600,
            drawer_kinds=drawer_kinds,
            can_sound=can_sound,
        )

    async def until_done(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.equipped.done) < count:
                self.equipped.changed.clear()
                await self.equipped.changed.wait()


# -- pause -----------------------------------------------------------------------------------------------------------


async def test_paused_spooler_says_so_once_and_prints_in_order_when_it_goes_on() -> None:
    room = Room()
    room.spooler.set_paused(True)
    assert room.spooler.is_paused
    async with room.running():
        first = room.add("first")
        await room.until(lambda: room.paused() == [(first, "printing_paused")])
        room.add("second")
        await asyncio.sleep(0)
        assert room.printer.printed == []
        room.spooler.set_paused(False)
        await room.until(lambda: len(room.ended()) == 2)
    assert room.printer.printed == [b"p/1 first", b"p/1 second"]
    assert room.paused() == [(first, "printing_paused")]


async def test_paused_spooler_finishes_the_slip_under_way() -> None:
    room = Room()
    room.printer.ready.clear()
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "EPTR_REC_EMPTY")])
        room.spooler.set_paused(True)
        room.printer.ready.set()
        await room.until(lambda: room.paused()[-1] == (1, "printing_paused"))
        assert room.printer.printed == [], "it had not begun"
        room.spooler.set_paused(False)
        await room.until(lambda: len(room.ended()) == 1)


async def test_paused_jobs_expire_as_always() -> None:
    room = Room(expiry_s=60)
    room.spooler.set_paused(True)
    async with room.running():
        job = room.add("slip", age_s=30)
        await room.until(lambda: room.paused() == [(job, "printing_paused")])
        room.clock.wall += timedelta(seconds=31)
        room.add("news")
        await room.until(lambda: room.ended() == [(job, PrintOutcome.EXPIRED)])


async def test_new_spooler_after_a_restart_prints_again() -> None:
    assert not Room().spooler.is_paused


# -- drawer ----------------------------------------------------------------------------------------------------------


async def test_drawer_opens_after_the_configured_slips_only() -> None:
    room = EquippedRoom()
    async with room.running():
        room.add("request")
        room.add("shift", SlipKind.SHIFT)
        await room.until(lambda: len(room.ended()) == 2)
        await room.until_done(1)
    assert room.equipped.done == ["drawer"]


@pytest.mark.parametrize("why", ["copy", "old", "broken", "not configured"])
async def test_drawer_stays_shut(why: str) -> None:
    room = EquippedRoom(drawer_kinds=frozenset() if why == "not configured" else frozenset({SlipKind.SHIFT}))
    if why == "broken":
        room.equipped.results.append(BROKEN)
    async with room.running():
        room.add("shift", SlipKind.SHIFT, age_s=61 if why == "old" else 0, copy_no=int(why in ("copy", "broken")))
        await room.until(lambda: len(room.ended()) == 1)
        room.add("request")
        await room.until(lambda: len(room.ended()) == 2)
    assert room.equipped.done == []


async def test_drawer_that_cannot_open_stops_no_slip() -> None:
    room = EquippedRoom()
    room.equipped.trouble = PaperEndError("printer", "no paper")
    async with room.running():
        room.add("shift", SlipKind.SHIFT)
        room.add("request")
        await room.until(lambda: len(room.ended()) == 2)


async def test_drawer_of_a_printer_that_has_none_is_not_asked_for() -> None:
    room = Room()
    room.spooler = Spooler(
        room.jobs,
        room.printer,
        clock=room.clock,
        sink=room._take,
        expiry_s=3600,
        drawer_kinds=frozenset({SlipKind.SHIFT}),
    )
    async with room.running():
        room.add("shift", SlipKind.SHIFT)
        await room.until(lambda: len(room.ended()) == 1)


# -- buzzer, and the printer itself ------------------------------------------------------------------------------------


async def test_refusal_sounds_now_or_never() -> None:
    room = EquippedRoom()
    async with room.running():
        room.spooler.sound()
        await room.until_done(1)
        room.spooler.sound()
        room.clock.boottime += 5
        room.spooler.accept_printer()
        await room.until_done(2)
    assert room.equipped.done == ["sound", "accept"], "five seconds late is another moment"


async def test_refusal_is_silent_unless_the_shop_wants_it() -> None:
    room = EquippedRoom(can_sound=False)
    async with room.running():
        room.spooler.sound()
        room.spooler.accept_printer()
        await room.until_done(1)
    assert room.equipped.done == ["accept"]


async def test_printer_that_cannot_do_it_now_stops_nothing() -> None:
    room = EquippedRoom()
    room.equipped.trouble = PaperEndError("printer", "no paper")
    async with room.running():
        room.spooler.accept_printer()
        await room.until_done(1)
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)


async def test_plain_printer_is_asked_for_nothing_it_does_not_have() -> None:
    room = Room()
    async with room.running():
        room.spooler.sound()
        room.spooler.accept_printer()
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)


async def test_printer_that_was_put_there_is_accepted_while_a_slip_waits_for_it() -> None:
    room = EquippedRoom()
    room.equipped.ready.clear()
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "EPTR_REC_EMPTY")])
        room.spooler.accept_printer()
        async with asyncio.timeout(5):
            await room.equipped.changed.wait()
        room.equipped.ready.set()
        await room.until(lambda: len(room.ended()) == 1)
    assert room.equipped.done == ["accept"]
    assert room.paused() == [(1, "EPTR_REC_EMPTY")]
