"""After a power cut inside a slip: the marked copy that follows by itself (D13).

The journal ends what was started before the cut as UNKNOWN when it opens; nobody else knows of these slips.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from pos_agent.domain.clock import Clock
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.journal.records import PrintJobRecord, RefundRecord
from pos_agent.printing.slips import mark_copy

_LOG = logging.getLogger(__name__)
#: One slip at a time is under way; what was cut off belongs to one of the newest requests.
NEWEST_REQUESTS = 20


class PastJobs(Protocol):
    """What is needed of the journal; `pos_agent.journal.store.Journal` has it."""

    async def newest_refunds(self, limit: int, offset: int = 0) -> list[RefundRecord]:
        """Return requests, newest first."""

    async def slips(self, refund_request_id: str) -> list[PrintJobRecord]:
        """Return all print jobs of a request, oldest first."""

    async def next_copy_no(self, refund_request_id: str, kind: SlipKind) -> int:
        """Return the next free copy number."""

    async def add_print_job(self, document: SlipDocument) -> int:
        """Queue a slip."""


async def queue_cut_off_copies(journal: PastJobs, *, clock: Clock, expiry_s: float) -> int:
    """Queue a marked copy of each young original that ended UNKNOWN and has no copy yet; return how many.

    Idempotent: what has a copy, or an auto-copy that failed, is left to a person.
    """
    count = 0
    for record in await journal.newest_refunds(NEWEST_REQUESTS):
        jobs = await journal.slips(record.request.refund_request_id)
        for job in _cut_off(jobs):
            if (clock.now() - job.created_at).total_seconds() > expiry_s:
                continue
            number = await journal.next_copy_no(job.refund_request_id, job.kind)
            await journal.add_print_job(mark_copy(job.document, number))
            _LOG.info("copy queued for a slip that was cut off job=%d request=%s", job.job_id, job.refund_request_id)
            count += 1
    return count


def _cut_off(jobs: Sequence[PrintJobRecord]) -> list[PrintJobRecord]:
    copied = {job.kind for job in jobs if job.copy_no}
    return [job for job in jobs if job.outcome is PrintOutcome.UNKNOWN and not job.copy_no and job.kind not in copied]
