"""Copies of slips that a power cut stopped."""

from datetime import timedelta

import pytest

from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.journal.records import RefundRecord
from pos_agent.printing.recovery import queue_cut_off_copies
from tests.fakes.clocks import ManualClock
from tests.fakes.journal import FakePrintJobs
from tests.fakes.slip_samples import AT, maker, request

RECORD = RefundRecord(request=request(), update=None, was_send_attempted=False, is_stored=False, is_held=False)


def journal() -> FakePrintJobs:
    """Return a journal with both request slips of one request."""
    made = FakePrintJobs()
    made.refunds.append(RECORD)
    for slip in maker().request_slips(request()):
        made.add(slip, AT)
    return made


async def queued(jobs: FakePrintJobs, *, age_s: float = 60) -> int:
    clock = ManualClock(AT)
    clock.wall += timedelta(seconds=age_s)
    return await queue_cut_off_copies(jobs, clock=clock, expiry_s=3600)


async def test_recovery_after_a_cut_copies_the_slip_that_was_under_way_once() -> None:
    jobs = journal()
    await jobs.record_job_ended(1, PrintOutcome.UNKNOWN)
    assert [await queued(jobs), await queued(jobs)] == [1, 0]
    copy = jobs.jobs[3]
    assert (copy.kind, copy.copy_no, copy.document.copy_no) == (SlipKind.REQUEST_MERCHANT, 1, 1)


@pytest.mark.parametrize("outcome", [o for o in PrintOutcome if o is not PrintOutcome.UNKNOWN])
async def test_recovery_leaves_what_ended_otherwise(outcome: PrintOutcome) -> None:
    jobs = journal()
    await jobs.record_job_ended(1, outcome)
    assert await queued(jobs) == 0


async def test_recovery_leaves_what_is_too_old() -> None:
    jobs = journal()
    await jobs.record_job_ended(1, PrintOutcome.UNKNOWN)
    assert await queued(jobs, age_s=3601) == 0


async def test_recovery_after_a_copy_that_failed_too_leaves_it_to_a_person() -> None:
    jobs = journal()
    await jobs.record_job_ended(1, PrintOutcome.UNKNOWN)
    await queued(jobs)
    await jobs.record_job_ended(3, PrintOutcome.UNKNOWN)
    assert await queued(jobs) == 0
