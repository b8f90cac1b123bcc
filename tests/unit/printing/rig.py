"""A spooler with everything around it in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from pos_agent.devices.interfaces import PrinterStatus, PrintReport
from pos_agent.domain.events import Event, PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import Cut, PrintOutcome, SlipDocument, SlipKind, Text
from pos_agent.errors import UnencodableError
from pos_agent.printing.spooler import Spooler
from tests.fakes.clocks import ManualClock
from tests.fakes.journal import FakePrintJobs
from tests.fakes.slip_samples import AT, REQUEST_ID

CLEAN = PrintReport(outcome=PrintOutcome.SENT_CLEAN, accepted_bytes=9)
BROKEN = PrintReport(outcome=PrintOutcome.UNKNOWN, accepted_bytes=4, was_interrupted=True)


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
        self.clock = ManualClock(AT)
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
