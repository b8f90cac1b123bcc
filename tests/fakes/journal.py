"""The print jobs of a journal, in memory: the same methods and rules as `pos_agent.journal.store.Journal`."""

import asyncio
from datetime import UTC, datetime

import msgspec

from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.journal.records import PrintJobRecord, RefundRecord

_RESULTS = frozenset({SlipKind.RESULT, SlipKind.REJECT})


class FakeSignal:
    """Wakes waiters; a set while nobody waits is remembered once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()


class FakePrintJobs:
    """The print-job part of the journal.

    Attributes:
        log: What was committed, in order: (what, job_id).
    """

    def __init__(self) -> None:
        self.jobs: dict[int, PrintJobRecord] = {}
        self.log: list[tuple[str, int]] = []
        self.refunds: list[RefundRecord] = []
        self.now = datetime(2026, 11, 23, 6, 5, 22, tzinfo=UTC)
        self._signal = FakeSignal()

    @property
    def print_jobs_changed(self) -> FakeSignal:
        return self._signal

    def add(self, document: SlipDocument, created_at: datetime) -> int:
        job_id = len(self.jobs) + 1
        self.jobs[job_id] = PrintJobRecord(
            job_id=job_id,
            refund_request_id=document.refund_request_id,
            kind=document.kind,
            copy_no=document.copy_no,
            document=document,
            created_at=created_at,
            data=None,
            profile_id="",
            was_started=False,
        )
        self._signal.set()
        return job_id

    def outcomes(self) -> list[PrintOutcome | None]:
        return [job.outcome for job in self.jobs.values()]

    async def next_print_job(self, *, with_results: bool) -> PrintJobRecord | None:
        await asyncio.sleep(0)
        due = [job for job in self.jobs.values() if job.outcome is None]
        due = [job for job in due if with_results or job.kind not in _RESULTS]
        return min(due, key=lambda job: (job.kind in _RESULTS, job.job_id), default=None)

    async def record_job_rendered(self, job_id: int, data: bytes, profile_id: str) -> None:
        await self._change("rendered", job_id, data=data, profile_id=profile_id)

    async def record_job_started(self, job_id: int) -> None:
        await self._change("started", job_id, was_started=True)

    async def record_job_not_started(self, job_id: int) -> None:
        await self._change("not_started", job_id, was_started=False)

    async def record_job_ended(self, job_id: int, outcome: PrintOutcome, *, copy: SlipDocument | None = None) -> None:
        await self._change("ended", job_id, outcome=outcome)
        if copy is not None:
            self.add(copy, self.jobs[job_id].created_at)

    async def next_copy_no(self, refund_request_id: str, kind: SlipKind) -> int:
        same = [j for j in self.jobs.values() if (j.refund_request_id, j.kind) == (refund_request_id, kind)]
        return 1 + max((job.copy_no for job in same), default=0)

    async def newest_refunds(self, limit: int, offset: int = 0) -> list[RefundRecord]:
        return self.refunds[offset : offset + limit]

    async def slips(self, refund_request_id: str) -> list[PrintJobRecord]:
        return [job for job in self.jobs.values() if job.refund_request_id == refund_request_id]

    async def add_print_job(self, document: SlipDocument) -> int:
        return self.add(document, self.now)

    async def _change(self, what: str, job_id: int, **changes: object) -> None:
        await asyncio.sleep(0)
        self.jobs[job_id] = msgspec.structs.replace(self.jobs[job_id], **changes)
        self.log.append((what, job_id))
