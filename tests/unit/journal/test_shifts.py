"""Shift slips and the audit chain they print (I6)."""

import sqlite3
from pathlib import Path

import pytest

from pos_agent.domain.refund import RefundState
from pos_agent.domain.shift import ShiftFacts, StateSum
from pos_agent.domain.slip import SlipDocument, SlipKind, Text
from pos_agent.errors import JournalCorruptError
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, make_request, make_update
from tests.unit.journal.conftest import open_journal


def _slip(facts: ShiftFacts) -> SlipDocument:
    return SlipDocument(kind=SlipKind.SHIFT, blocks=(Text(facts.audit_head),))


def _tamper(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / "journal" / "journal.db")
    with connection:
        connection.execute(sql)
    connection.close()


async def test_shift_counts_and_sums_by_state_and_begins_where_the_last_ended(journal: Journal) -> None:
    for number, amount_minor in ((1, 100), (2, 250), (3, 400)):
        await journal.commit_refund(make_request(number, amount_minor=amount_minor), [])
    request_id = make_request(3).refund_request_id
    await journal.apply_update(make_update(request_id, RefundState.REVIEWING), [])
    first = await journal.close_shift("01", _slip)
    assert (first.since, first.first_seq, first.last_seq, first.unsent) == (None, 1, 3, 3)
    assert first.sums == (
        StateSum(RefundState.QUEUED, "CNY", 2, 350),
        StateSum(RefundState.REVIEWING, "CNY", 1, 400),
    )
    await journal.commit_refund(make_request(4, amount_minor=5), [])
    second = await journal.close_shift("02", _slip)
    assert (second.since, second.first_seq, second.last_seq) == (START, 4, 4)
    assert second.sums == (StateSum(RefundState.QUEUED, "CNY", 1, 5),)


async def test_shift_without_requests_counts_nothing(journal: Journal) -> None:
    facts = await journal.close_shift("01", _slip)
    assert (facts.first_seq, facts.last_seq, facts.sums) == (0, 0, ())


async def test_i6_shift_prints_the_head_that_verification_finds(journal: Journal) -> None:
    await journal.commit_refund(make_request(), [])
    facts = await journal.close_shift("01", _slip)
    assert await journal.audit_verify() == (facts.audit_lines, facts.audit_head)
    assert (await journal.audit_heads())[-1] == facts.audit_head
    job = await journal.next_print_job(with_results=True)
    assert job is not None
    assert job.document.blocks == (Text(facts.audit_head),)


async def test_i6_slip_that_cannot_be_made_closes_no_shift(journal: Journal) -> None:
    def fail(_: ShiftFacts) -> SlipDocument:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await journal.close_shift("01", fail)
    assert (await journal.audit_verify())[0] == 0


async def test_i6_request_changed_after_confirm_is_named(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path / "journal", clock)
    await journal.commit_refund(make_request(), [])
    await journal.close()
    _tamper(tmp_path, "UPDATE refunds SET request = replace(CAST(request AS TEXT), '12800', '12801')")
    journal = await open_journal(tmp_path / "journal", clock)
    try:
        with pytest.raises(JournalCorruptError, match="differs from audit line 1"):
            await journal.audit_verify()
    finally:
        await journal.close()


async def test_i6_request_deleted_with_its_outbox_row_is_named(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path / "journal", clock)
    request_id = (await journal.commit_refund(make_request(), [])).refund_request_id
    await journal.close()
    _tamper(tmp_path, "DELETE FROM refunds")
    journal = await open_journal(tmp_path / "journal", clock)
    try:
        with pytest.raises(JournalCorruptError, match=request_id):
            await journal.audit_verify()
    finally:
        await journal.close()
