"""The spooler: order, pauses, expiry, outcomes (D6, D13)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from pos_agent.devices.interfaces import PrinterStatus, PrintReport
from pos_agent.domain.events import Event, PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import Cut, PrintOutcome, SlipDocument, SlipKind, Text
from pos_agent.errors import OfflineError, PaperEndError, UnencodableError
from pos_agent.printing import spooler as spooler_module
from pos_agent.printing.spooler import Spooler
from pos_agent.workflow.ports import SpoolerPort
from tests.fakes.journal import FakePrintJobs
from tests.fakes.slip_samples import AT, REQUEST_ID

CLEAN = PrintReport(outcome=PrintOutcome.SENT_CLEAN, accepted_bytes=9)
BROKEN = PrintReport(outcome=PrintOutcome.UNKNOWN, accepted_bytes=4, was_interrupted=True)


class FakeClock:
    """Wall and monotonic time that tests move."""

    def __init__(self) -> None:
        self.wall = AT
        self.mono_s = 100.0

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.mono_s

    def boottime_s(self) -> float:
        return self.mono_s

    def is_trusted(self) -> bool:
        return True


class ScriptedPrinter:
    """The spooler's side of a printer. `results`: what each next job does; empty = clean."""

    def __init__(self, jobs: FakePrintJobs) -> None:
        self.profile_id = "p/1"
        self.printed: list[bytes] = []
        self.results: deque[PrintReport | Exception] = deque()
        self.refused = False
        self.ready = asyncio.Event()
        self.ready.set()
        self._jobs = jobs

    @property
    def status(self) -> PrinterStatus:
        is_ready = self.ready.is_set()
        return PrinterStatus(is_online=is_ready, code="" if is_ready else "EPTR_REC_EMPTY")

    def render(self, document: SlipDocument) -> bytes:
        if self.refused:
            raise UnencodableError("amount")
        first = document.blocks[0]
        assert isinstance(first, Text)
        return f"{self.profile_id} {first.text}".encode()

    async def wait_ready(self) -> None:
        await self.ready.wait()

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        assert self._jobs.log[-1][0] == "started", "bytes may leave only after 'started' is committed"
        step = self.results.popleft() if self.results else CLEAN
        if isinstance(step, Exception):
            raise step
        if step.was_interrupted:
            on_paused("EPTR_COVER_OPEN")
        self.printed.append(data)
        return step


class Room:
    """A spooler with everything around it."""

    def __init__(self, *, has_printer: bool = True, expiry_s: float = 3600) -> None:
        self.jobs = FakePrintJobs()
        self.printer = ScriptedPrinter(self.jobs)
        self.clock = FakeClock()
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        self.spooler = Spooler(
            self.jobs,
            self.printer if has_printer else None,
            clock=self.clock,
            sink=self._take,
            expiry_s=expiry_s,
        )

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def add(self, text: str, kind: SlipKind = SlipKind.REQUEST_CUSTOMER, *, age_s: float = 0, copy_no: int = 0) -> int:
        document = SlipDocument(kind=kind, blocks=(Text(text), Cut()), refund_request_id=REQUEST_ID, copy_no=copy_no)
        return self.jobs.add(document, self.clock.wall - timedelta(seconds=age_s))

    def ended(self) -> list[tuple[int, PrintOutcome]]:
        return [(event.job_id, event.outcome) for event in self.events if isinstance(event, PrintJobEnded)]

    def paused(self) -> list[tuple[int, str]]:
        return [(event.job_id, event.code) for event in self.events if isinstance(event, PrintJobPaused)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.spooler.run(), name="spooler")
        try:
            yield
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooler_module, "READY_GRACE_S", 0.01)
    monkeypatch.setattr(spooler_module, "REFUSED_PAUSE_S", 0.001)


async def test_job_is_rendered_started_printed_and_ended_in_this_order() -> None:
    room = Room()
    port: SpoolerPort = room.spooler
    port.allow_results(False)
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.jobs.log == [("rendered", 1), ("started", 1), ("ended", 1)]
    assert room.printer.printed == [b"p/1 slip"]
    assert room.ended() == [(1, PrintOutcome.SENT_CLEAN)]
    assert room.paused() == []


async def test_request_slips_print_before_results_and_results_only_when_allowed() -> None:
    room = Room()
    room.add("result", SlipKind.RESULT)
    room.add("reject", SlipKind.REJECT)
    room.add("request")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 1)
        assert room.printer.printed == [b"p/1 request"]
        room.spooler.allow_results(True)
        await room.until(lambda: len(room.ended()) == 3)
    assert room.printer.printed == [b"p/1 request", b"p/1 result", b"p/1 reject"]


async def test_no_byte_accepted_prints_the_same_job_again_unmarked() -> None:
    room = Room()
    room.printer.results.extend([PaperEndError("printer", "no paper"), OfflineError("printer", "gone")])
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.printer.printed == [b"p/1 slip"]
    assert len(room.jobs.jobs) == 1
    assert [what for what, _ in room.jobs.log] == [
        "rendered",
        *["started", "not_started"] * 2,
        "started",
        "ended",
    ]
    assert room.paused() == [(1, "EPTR_REC_EMPTY")]


async def test_stopped_inside_ends_unknown_and_one_marked_copy_follows() -> None:
    room = Room()
    room.printer.results.append(BROKEN)
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.UNKNOWN), (2, PrintOutcome.SENT_CLEAN)]
    assert room.paused() == [(1, "EPTR_COVER_OPEN")]
    copy = room.jobs.jobs[2]
    assert (copy.copy_no, copy.document.copy_no) == (1, 1)
    assert b"COPY 1" in room.printer.printed[1]


async def test_copy_stopped_inside_is_not_followed_by_another() -> None:
    room = Room()
    room.printer.results.extend([BROKEN, BROKEN])
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 2)
        room.add("next")
        await room.until(lambda: len(room.ended()) == 3)
    assert room.jobs.outcomes() == [PrintOutcome.UNKNOWN, PrintOutcome.UNKNOWN, PrintOutcome.SENT_CLEAN]


async def test_copy_number_goes_on_after_earlier_copies() -> None:
    room = Room()
    first = room.add("slip", copy_no=4)
    await room.jobs.record_job_ended(first, PrintOutcome.SENT)
    room.printer.results.append(BROKEN)
    room.add("slip")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.jobs.jobs[3].copy_no == 5


async def test_printer_not_ready_pauses_the_job_once_and_goes_on_afterwards() -> None:
    room = Room()
    room.printer.ready.clear()
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "EPTR_REC_EMPTY")])
        assert ("started", 1) not in room.jobs.log
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 1)
    assert room.paused() == [(1, "EPTR_REC_EMPTY")]


async def test_request_slip_that_came_during_a_long_wait_goes_first() -> None:
    room = Room()
    room.spooler.allow_results(True)
    room.printer.ready.clear()
    async with room.running():
        room.add("result", SlipKind.RESULT)
        await room.until(lambda: len(room.paused()) == 1)
        room.add("request")
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 2)
    assert room.printer.printed == [b"p/1 request", b"p/1 result"]


async def test_jobs_that_grew_old_during_an_outage_expire_instead_of_flooding() -> None:
    room = Room(expiry_s=600)
    room.printer.ready.clear()
    async with room.running():
        for _ in range(3):
            room.add("old")
        await room.until(lambda: len(room.paused()) == 1)
        room.clock.wall += timedelta(hours=2)
        room.clock.mono_s += 7200
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 3)
        room.add("new")
        await room.until(lambda: len(room.ended()) == 4)
    assert [outcome for _, outcome in room.ended()] == [PrintOutcome.EXPIRED] * 3 + [PrintOutcome.SENT_CLEAN]
    assert room.printer.printed == [b"p/1 new"]


async def test_clock_that_jumps_ahead_does_not_expire_a_fresh_job() -> None:
    room = Room(expiry_s=600)
    room.add("slip")
    room.clock.wall += timedelta(days=300)
    room.clock.mono_s += 5
    async with room.running():
        await room.until(lambda: len(room.ended()) == 1)
    assert room.ended() == [(1, PrintOutcome.SENT_CLEAN)]


async def test_job_of_an_earlier_run_expires_by_its_age() -> None:
    room = Room(expiry_s=600)
    room.add("old", age_s=601)
    room.add("young", age_s=599)
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.EXPIRED), (2, PrintOutcome.SENT_CLEAN)]


async def test_slip_that_cannot_be_shown_is_refused_and_the_next_prints() -> None:
    room = Room()
    room.printer.refused = True
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
        room.printer.refused = False
        room.add("next")
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.REFUSED), (2, PrintOutcome.SENT_CLEAN)]
    assert room.printer.printed == [b"p/1 next"]


async def test_stored_bytes_are_used_and_rendered_again_for_another_profile() -> None:
    room = Room()
    same, other = room.add("same"), room.add("other")
    await room.jobs.record_job_rendered(same, b"stored", "p/1")
    await room.jobs.record_job_rendered(other, b"stored", "p/0")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.printer.printed == [b"stored", b"p/1 other"]


async def test_till_without_a_printer_reports_it_and_expires_the_job() -> None:
    room = Room(has_printer=False, expiry_s=600)
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "E_NOHARDWARE")])
        room.clock.wall += timedelta(hours=1)
        room.clock.mono_s += 3600
        room.add("second")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.ended() == [(1, PrintOutcome.EXPIRED)]


async def test_d17_only_a_slip_on_its_way_to_the_printer_counts_as_printing() -> None:
    """A new configuration waits for a slip in the printer; one that waits for paper may wait on behind the restart."""
    room = Room()
    room.printer.ready.clear()
    seen: list[bool] = []
    send = room.printer.print_job

    async def watched(data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        seen.append(room.spooler.is_printing)
        return await send(data, on_paused=on_paused)

    room.printer.print_job = watched  # type: ignore[method-assign]
    room.printer.results.append(OfflineError("printer", "gone"))
    room.add("slip")
    async with room.running():
        await room.until(lambda: bool(room.paused()))
        assert not room.spooler.is_printing
        room.printer.ready.set()
        await room.until(lambda: bool(room.ended()))
        assert not room.spooler.is_printing
    assert seen == [True, True]
