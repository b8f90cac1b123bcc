"""Prints the journal's print jobs: oldest first, request slips before results; never blocks, never floods (D6, D13).

One job's way: due → rendered → printer ready → *started* committed → bytes → ended committed → `PrintJobEnded`.
No byte accepted: the same job again, unmarked. Stopped inside: ended UNKNOWN, and a copy marked as such follows once.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pos_agent.devices.interfaces import (
    CashDrawer,
    EventSink,
    PrinterStatus,
    PrintReport,
    ReplaceablePrinter,
    ToneIndicator,
)
from pos_agent.domain.clock import Clock
from pos_agent.domain.events import PRINTING_PAUSED, PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.errors import ConfigError, DeviceError, PosAgentError, UnencodableError
from pos_agent.journal.records import PrintJobRecord
from pos_agent.printing.recovery import PastJobs, queue_cut_off_copies
from pos_agent.printing.slips import mark_copy

_LOG = logging.getLogger(__name__)
#: A printer that is not ready by then is a fact for the screen.
READY_GRACE_S = 0.3
#: After a refusal that the status did not foresee; keeps a lying status from spinning.
REFUSED_PAUSE_S = 0.5
NO_PRINTER = "E_NOHARDWARE"
#: A drawer that opens for a slip of long ago opens before nobody's eyes.
DRAWER_WITHIN_S = 60.0
#: A tone that comes late says something about another moment.
SOUND_WITHIN_S = 1.0


class _Signal(Protocol):
    def set(self) -> None: ...

    async def wait(self) -> None: ...


class PrintJobs(PastJobs, Protocol):
    """What the spooler needs of the journal; `pos_agent.journal.store.Journal` has it."""

    @property
    def print_jobs_changed(self) -> _Signal:
        """Return the signal set after a commit that added a print job."""

    async def next_print_job(self, *, with_results: bool) -> PrintJobRecord | None:
        """Return the oldest unfinished job, request slips first."""

    async def record_job_rendered(self, job_id: int, data: bytes, profile_id: str) -> None:
        """Keep the rendered bytes."""

    async def record_job_started(self, job_id: int) -> None:
        """Commit that bytes may reach the printer from now on."""

    async def record_job_not_started(self, job_id: int) -> None:
        """Take that back: no byte was accepted."""

    async def record_job_ended(self, job_id: int, outcome: PrintOutcome, *, copy: SlipDocument | None = None) -> None:
        """End a job and queue its copy, in one transaction."""


class JobPrinter(Protocol):
    """What the spooler needs of the printer; `pos_agent.devices.interfaces.POSPrinter` has it."""

    @property
    def profile_id(self) -> str:
        """Return what rendered bytes depend on."""

    @property
    def status(self) -> PrinterStatus:
        """Return the newest status, without I/O."""

    def render(self, document: SlipDocument) -> bytes:
        """Return the job's bytes; raises `UnencodableError`."""

    async def wait_ready(self) -> None:
        """Return when the printer can print."""

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        """Send one job; raises `DeviceError` if no byte was accepted."""


class Spooler:
    """The one owner of the printer.

    An operator may pause it (`set_paused`): the slip under way is finished, the others wait and expire as always. A
    restart prints again: nobody there may know of the pause.

    Args:
        journal: Where the jobs are.
        printer: None = this till has none: its jobs wait, are reported as paused, and expire.
        clock: For the age of jobs.
        sink: Gets `PrintJobEnded` and `PrintJobPaused`.
        expiry_s: A job older than this when it could print is not printed by itself.
        drawer_kinds: Slips after which the printer's cash drawer is opened.
        can_sound: The printer sounds at refusals, where it has a buzzer.
    """

    def __init__(
        self,
        journal: PrintJobs,
        printer: JobPrinter | None,
        *,
        clock: Clock,
        sink: EventSink,
        expiry_s: float,
        drawer_kinds: frozenset[SlipKind] = frozenset(),
        can_sound: bool = False,
    ) -> None:
        self._journal = journal
        self._printer = printer
        self._clock = clock
        self._sink = sink
        self._expiry_s = expiry_s
        self._are_results_allowed = False
        self._started_at = clock.now()
        self._started_s = clock.monotonic_s()
        self._paused_job: int | None = None
        self._is_printing = False
        self._drawer_kinds = drawer_kinds
        self._can_sound = can_sound
        self._sound_at_s: float | None = None
        self._is_accepting = False
        self._is_paused = False

    @property
    def is_paused(self) -> bool:
        """Return whether an operator has stopped printing."""
        return self._is_paused

    def set_paused(self, is_paused: bool) -> None:
        """Stop printing after the slip under way, or go on."""
        _LOG.info("printing paused=%s", is_paused)
        self._is_paused = is_paused
        self._paused_job = None
        self._journal.print_jobs_changed.set()

    def accept_printer(self) -> None:
        """Take the printer that is there for the till's own: a person says so (field.md 18)."""
        self._is_accepting = True
        self._journal.print_jobs_changed.set()

    def sound(self) -> None:
        """Sound the printer's buzzer now or never; nothing where there is none."""
        printer: object = self._printer
        if self._can_sound and isinstance(printer, ToneIndicator):
            self._sound_at_s = self._clock.monotonic_s()
            self._journal.print_jobs_changed.set()

    @property
    def is_printing(self) -> bool:
        """Return whether bytes of a slip may be on their way to the printer now."""
        return self._is_printing

    def allow_results(self, is_allowed: bool) -> None:
        """Let result and reject slips print, or hold them back from now on; a slip under way is finished."""
        was_allowed, self._are_results_allowed = self._are_results_allowed, is_allowed
        if is_allowed and not was_allowed:
            self._journal.print_jobs_changed.set()

    async def run(self) -> None:
        """Print until cancelled. A job that is cancelled inside ends UNKNOWN at the journal's next opening."""
        await queue_cut_off_copies(self._journal, clock=self._clock, expiry_s=self._expiry_s)
        while True:
            await self._do_small_things()
            job = await self._next()
            if job is None:
                await self._journal.print_jobs_changed.wait()
            elif self._age_s(job) > self._expiry_s:
                await self._end(job, PrintOutcome.EXPIRED)
            elif self._is_paused:
                await self._wait(job, PRINTING_PAUSED)
            elif self._printer is None:
                await self._wait(job, NO_PRINTER)
            else:
                await self._work(job, self._printer)

    # -- one job ------------------------------------------------------------------------------------------------

    async def _work(self, job: PrintJobRecord, printer: JobPrinter) -> None:
        """Bring one job as far as it goes; what is not ended comes back from the journal."""
        data = await self._rendered(job, printer)
        if data is None or not await self._await_ready(job, printer):
            return
        await self._record_start(job, data, printer.profile_id)
        self._is_printing = True
        try:
            report = await printer.print_job(data, on_paused=self._pauser(job))
        except DeviceError as error:
            await self._journal.record_job_not_started(job.job_id)
            self._pause(job, error.code)
            self._is_printing = False
            await asyncio.sleep(REFUSED_PAUSE_S)
            return
        finally:
            self._is_printing = False
        await self._close(job, report)
        if report.outcome is not PrintOutcome.UNKNOWN and not report.was_interrupted:
            await self._open_drawer(job, printer)

    async def _open_drawer(self, job: PrintJobRecord, printer: JobPrinter) -> None:
        """Open the cash drawer after a slip of the configured kinds: an original, and while somebody stands there."""
        is_occasion = job.kind in self._drawer_kinds and not job.copy_no and self._age_s(job) <= DRAWER_WITHIN_S
        if is_occasion and isinstance(printer, CashDrawer):
            try:
                is_there = await printer.open_drawer()
            except DeviceError as error:
                _LOG.warning("cash drawer not opened job=%d cause=%s", job.job_id, error)
            else:
                _LOG.info("cash drawer job=%d opened=%s", job.job_id, is_there)

    async def _do_small_things(self) -> None:
        """Do what was asked for between two slips."""
        asked_at_s, self._sound_at_s = self._sound_at_s, None
        is_accepting, self._is_accepting = self._is_accepting, False
        printer: object = self._printer
        try:
            if is_accepting and isinstance(printer, ReplaceablePrinter):
                await printer.accept()
            is_due = asked_at_s is not None and self._clock.monotonic_s() - asked_at_s <= SOUND_WITHIN_S
            if is_due and isinstance(printer, ToneIndicator):
                await printer.sound()
        except DeviceError as error:
            _LOG.info("printer did not do it cause=%s", error)

    async def _record_start(self, job: PrintJobRecord, data: bytes, profile_id: str) -> None:
        """Commit bytes and start, at once: the journal's writer makes one fsync of what is queued together, not two."""
        started = self._journal.record_job_started(job.job_id)
        if (job.data, job.profile_id) == (data, profile_id):
            await started
        else:
            await asyncio.gather(self._journal.record_job_rendered(job.job_id, data, profile_id), started)

    async def _rendered(self, job: PrintJobRecord, printer: JobPrinter) -> bytes | None:
        """Return the job's bytes: the stored ones if the same profile made them; None if the slip was refused."""
        if job.data is not None and job.profile_id == printer.profile_id:
            return job.data
        try:
            return printer.render(job.document)
        except (UnencodableError, ConfigError) as error:
            _LOG.error("slip refused job=%d request=%s cause=%s", job.job_id, job.refund_request_id, error)
            await self._end(job, PrintOutcome.REFUSED)
            return None

    async def _await_ready(self, job: PrintJobRecord, printer: JobPrinter) -> bool:
        """Wait for the printer; return False if the wait was long: another job may be due by now, or this one old.

        Whoever asks for something meanwhile is heard: a job that waits for paper must not keep a swapped printer from
        being accepted.
        """
        ready = asyncio.create_task(printer.wait_ready(), name="printer-ready")
        waits = [ready]
        try:
            done, _ = await asyncio.wait(waits, timeout=READY_GRACE_S)
            if done:
                ready.result()
                return True
            self._pause(job, printer.status.code or NO_PRINTER)
            waits.append(asyncio.create_task(self._journal.print_jobs_changed.wait(), name="printer-asked"))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
            return False
        finally:
            for wait in waits:
                await _cancelled(wait)

    async def _close(self, job: PrintJobRecord, report: PrintReport) -> None:
        outcome = PrintOutcome.UNKNOWN if report.was_interrupted else report.outcome
        copy = await self._copy_of(job) if outcome is PrintOutcome.UNKNOWN else None
        await self._end(job, outcome, copy=copy)

    async def _copy_of(self, job: PrintJobRecord) -> SlipDocument | None:
        """Return the marked copy that follows an original by itself; a copy is not followed by another."""
        if job.copy_no or not job.refund_request_id:
            return None
        number = await self._journal.next_copy_no(job.refund_request_id, job.kind)
        return mark_copy(job.document, number)

    async def _end(self, job: PrintJobRecord, outcome: PrintOutcome, *, copy: SlipDocument | None = None) -> None:
        await self._journal.record_job_ended(job.job_id, outcome, copy=copy)
        _LOG.info("print job ended job=%d request=%s outcome=%s", job.job_id, job.refund_request_id, outcome)
        self._paused_job = None
        self._sink(PrintJobEnded(job.job_id, job.refund_request_id, job.kind, job.copy_no, outcome))

    # -- waiting ------------------------------------------------------------------------------------------------

    async def _next(self) -> PrintJobRecord | None:
        return await self._journal.next_print_job(with_results=self._are_results_allowed)

    async def _wait(self, job: PrintJobRecord, code: str) -> None:
        """Say once why nothing is printed, then wait for news or for this job's expiry."""
        self._pause(job, code)
        left_s = max(self._expiry_s - self._age_s(job), 0.0) + 1.0
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):  # not wait_for(): see EscposPrinter.wait_ready
                await self._journal.print_jobs_changed.wait()

    def _pauser(self, job: PrintJobRecord) -> Callable[[str], None]:
        def on_paused(code: str) -> None:
            self._paused_job = None  # a new cause is news, even for the same job
            self._pause(job, code)

        return on_paused

    def _pause(self, job: PrintJobRecord, code: str) -> None:
        """Tell that a job waits; once, until something else happens to it."""
        if self._paused_job == job.job_id:
            return
        self._paused_job = job.job_id
        self._sink(PrintJobPaused(job.job_id, job.refund_request_id, code))

    def _age_s(self, job: PrintJobRecord) -> float:
        """Return how old a job is.

        A job made since this process started is at most as old as the process, whatever NTP did to the wall clock in
        between: a first synchronisation must not expire the slip of the customer at the counter.
        """
        age_s = (self._clock.now() - job.created_at).total_seconds()
        if job.created_at >= self._started_at:
            return min(age_s, self._clock.monotonic_s() - self._started_s)
        return age_s


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """Cancel a helper task and wait for its end, so that none is left behind."""
    if task.done():
        return
    task.cancel()
    with suppress(asyncio.CancelledError, PosAgentError):
        await task
