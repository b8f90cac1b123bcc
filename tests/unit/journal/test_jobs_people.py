from pathlib import Path

import msgspec
import pytest

from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.errors import JournalError
from pos_agent.journal.records import Draft
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, make_request, make_slip, make_update
from tests.unit.journal.conftest import open_journal

LOCK_S = 900


async def test_job_rendered_started_ended_leaves_document_without_bytes(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [make_slip(make_request().refund_request_id)])
    job = await journal.next_print_job(with_results=True)
    assert job is not None
    await journal.record_job_rendered(job.job_id, b"\x1b@", "generic-80mm")
    await journal.record_job_started(job.job_id)
    job = await journal.next_print_job(with_results=True)
    assert job is not None
    assert (job.data, job.profile_id, job.was_started) == (b"\x1b@", "generic-80mm", True)
    await journal.record_job_not_started(job.job_id)
    copy = make_slip(request.refund_request_id, copy_no=1)
    await journal.record_job_ended(job.job_id, PrintOutcome.UNKNOWN, copy=copy)
    await journal.record_job_ended(job.job_id, PrintOutcome.SENT, copy=copy)
    ended, queued = await journal.slips(request.refund_request_id)
    assert (ended.outcome, ended.data, queued.document, queued.outcome) == (PrintOutcome.UNKNOWN, None, copy, None)
    assert await journal.next_copy_no(request.refund_request_id, SlipKind.REQUEST_MERCHANT) == 2


async def test_job_order_is_request_slips_first_then_results(journal: Journal) -> None:
    first = await journal.commit_refund(make_request(1), [])
    rid = first.refund_request_id
    await journal.apply_update(make_update(rid), [make_slip(rid, SlipKind.RESULT)])
    second = make_request(2).refund_request_id
    await journal.commit_refund(make_request(2), [make_slip(second), make_slip(second)])
    kinds = []
    while (job := await journal.next_print_job(with_results=True)) is not None:
        kinds.append(job.kind)
        await journal.record_job_ended(job.job_id, PrintOutcome.SENT)
    assert kinds == [SlipKind.REQUEST_MERCHANT, SlipKind.REQUEST_MERCHANT, SlipKind.RESULT]


async def test_policy_slips_without_request_are_not_unique(journal: Journal) -> None:
    slip = make_slip("", SlipKind.POLICY)
    assert await journal.add_print_job(slip) != await journal.add_print_job(slip)
    assert await journal.unfinished_print_jobs() == 2


async def test_started_job_after_crash_ends_unknown(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    rid = make_request().refund_request_id
    await journal.commit_refund(make_request(), [make_slip(rid), make_slip(rid, SlipKind.REQUEST_CUSTOMER)])
    job = await journal.next_print_job(with_results=False)
    assert job is not None
    await journal.record_job_started(job.job_id)
    await journal.close()
    journal = await open_journal(tmp_path, clock)
    jobs = await journal.slips(rid)
    await journal.close()
    assert [job.outcome for job in jobs] == [PrintOutcome.UNKNOWN, None]


async def add_operator(journal: Journal) -> None:
    await journal.put_operator(operator_no="01", person_id="p1", name="张", role="cashier", pin_hash="$argon2id$x")


async def test_pin_fifth_failure_locks_for_fifteen_minutes(journal: Journal, clock: ManualClock) -> None:
    await add_operator(journal)
    locked = [(await journal.record_pin_failure("01")).locked_s for _ in range(5)]
    assert locked == [0, 0, 0, 0, LOCK_S]
    clock.advance(LOCK_S - 1)
    assert (await journal.record_pin_failure("01")).locked_s == 1
    clock.advance(1)
    again = await journal.record_pin_failure("01")
    assert (again.failures, again.locked_s) == (1, 0)


async def test_pin_success_at_fifth_try_unlocks(journal: Journal) -> None:
    await add_operator(journal)
    for _ in range(5):
        await journal.record_pin_failure("01")
    await journal.record_pin_success("01")
    operator = await journal.operator("01")
    assert operator is not None
    assert (operator.failures, operator.locked_s) == (0, 0)


async def test_pin_lock_survives_reboot_and_clock_step(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    await add_operator(journal)
    for _ in range(5):
        await journal.record_pin_failure("01")
    clock.advance(300)
    assert (await journal.operators())[0].locked_s == LOCK_S - 300
    await journal.operator("01")  # writes what remains
    await journal.close()
    clock.boottime, clock.wall = 5.0, START.replace(year=2030)
    journal = await open_journal(tmp_path, clock, "boot-2")
    clock.advance(100)
    operator = await journal.operator("01")
    await journal.close()
    assert operator is not None
    assert operator.locked_s == LOCK_S - 400


async def test_operator_unknown_is_none_and_failure_raises(journal: Journal) -> None:
    assert await journal.operator("99") is None
    with pytest.raises(JournalError):
        await journal.record_pin_failure("99")


def draft() -> Draft:
    return Draft(
        operator_no="01", saved_at=START, saved_boottime_s=1.0, boot_id="boot-1", state="REASON", context=b"{}"
    )


async def test_draft_saved_is_loaded_after_restart(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    await journal.save_draft(msgspec.structs.replace(draft(), state="SALE"))
    await journal.save_draft(draft())
    await journal.close()
    journal = await open_journal(tmp_path, clock)
    loaded = await journal.load_draft()
    await journal.drop_draft("too old")
    await journal.drop_draft("again")
    dropped, lines = await journal.load_draft(), (await journal.audit_verify())[0]
    await journal.close()
    assert (loaded, dropped, lines) == (draft(), None, 1)


async def test_draft_is_void_once_a_refund_was_committed(journal: Journal) -> None:
    await journal.save_draft(draft())
    await journal.commit_refund(make_request(), [])
    assert await journal.load_draft() is None
    await journal.save_draft(draft())
    assert await journal.load_draft() == draft()
