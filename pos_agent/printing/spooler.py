"""Prints the journal's print jobs: oldest first, request slips before results; never blocks, never floods (D6, D13).

One job's way: due → rendered → printer ready → *started* committed → bytes → ended committed → `PrintJobEnded`.
No byte accepted: the same job again, unmarked. Stopped inside: ended UNKNOWN, and a copy marked as such follows once.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pos_agent.devices.interfaces import EventSink, PrinterStatus, PrintReport
from pos_agent.domain.clock import Clock
from pos_agent.domain.events import PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import PrintOutcome, SlipDocument
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

    Args:
        journal: Where the jobs are.
        printer: None = this till has none: its jobs wait, are reported as paused, and expire.
        clock: For the age of jobs.
        sink: Gets `PrintJobEnded` and `PrintJobPaused`.
        expiry_s: A job older than this when it could print is not printed by itself.
    """

    def __init__(
        self, journal: PrintJobs, printer: JobPrinter | None, *, clock: Clock, sink: EventSink, expiry_s: float
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
            job = await self._next()
            if job is None:
                await self._journal.print_jobs_changed.wait()
            elif self._age_s(job) > self._expiry_s:
                await self._end(job, PrintOutcome.EXPIRED)
            elif self._printer is None:
                await self._wait_without_printer(job)
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
        """Wait for the printer; return False if the wait was long: another job may be due by now, or this one old."""
        ready = asyncio.create_task(printer.wait_ready(), name="printer-ready")
        try:
            done, _ = await asyncio.wait({ready}, timeout=READY_GRACE_S)
            if done:
                ready.result()
                return True
            self._pause(job, printer.status.code or NO_PRINTER)
            await ready
            return False
        finally:
            await _cancelled(ready)

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

    async def _wait_without_printer(self, job: PrintJobRecord) -> None:
        """Say once that there is no printer, then wait for new jobs or for this one's expiry."""
        self._pause(job, NO_PRINTER)
        left_s = max(self._expiry_s - self._age_s(job), 0.0) + 1.0
        with suppress(TimeoutError):
            await asyncio.wait_for(self._journal.print_jobs_changed.wait(), left_s)

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
