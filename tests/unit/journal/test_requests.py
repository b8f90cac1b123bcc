import asyncio

import pytest

from pos_agent.domain.refund import MoneyMoved, RefundState
from pos_agent.domain.slip import SlipKind
from pos_agent.errors import DuplicateRequestError, JournalError
from pos_agent.journal.records import OutboxStatus
from pos_agent.journal.store import Journal
from pos_agent.protocol import codec
from pos_agent.protocol.messages import (
    AckStatus,
    RefundAnswerMessage,
    RefundRequestMessage,
    RefundWithdrawMessage,
)
from tests.fakes.samples import make_request, make_slip, make_update
from tests.unit.journal.samples import ack


async def test_commit_new_request_writes_outbox_jobs_audit_and_numbers(journal: Journal) -> None:
    request = make_request()
    slips = [make_slip(request.refund_request_id), make_slip(request.refund_request_id, SlipKind.REQUEST_CUSTOMER)]
    committed = await journal.commit_refund(request, slips)
    assert committed.seq == 1
    assert committed.audit_head == "0" * 64
    [row] = await journal.outbox_due(10)
    assert row.status is OutboxStatus.QUEUED
    message = codec.decode_up(row.payload)
    assert isinstance(message, RefundRequestMessage)
    assert message.request == committed
    assert await journal.unfinished_print_jobs() == 2
    lines, head = await journal.audit_verify()
    assert lines == 1
    second = await journal.commit_refund(make_request(2), [])
    assert (second.seq, second.audit_head) == (2, head)


async def test_commit_wakes_waiters_once_after_commit(journal: Journal) -> None:
    await journal.commit_refund(make_request(), [])
    await asyncio.wait_for(journal.outbox_changed.wait(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(journal.outbox_changed.wait(), 0.01)


async def test_commit_same_request_again_returns_committed_one(journal: Journal) -> None:
    request = make_request()
    first = await journal.commit_refund(request, [make_slip(request.refund_request_id)])
    assert await journal.commit_refund(request, [make_slip(request.refund_request_id)]) == first
    assert await journal.unfinished_print_jobs() == 1
    assert len(await journal.outbox_rows()) == 1


async def test_commit_same_id_other_content_raises_and_keeps_first(journal: Journal) -> None:
    await journal.commit_refund(make_request(), [])
    with pytest.raises(DuplicateRequestError):
        await journal.commit_refund(make_request(amount_minor=1), [])
    [row] = await journal.newest_refunds(10)
    assert row.request.amount_minor == 12_800


async def test_commit_many_at_once_keeps_order_and_fails_only_the_bad_one(journal: Journal) -> None:
    await journal.commit_refund(make_request(5), [])
    calls = [journal.commit_refund(make_request(n, amount_minor=n), []) for n in range(1, 30)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[4], DuplicateRequestError)
    good = [result for result in results if not isinstance(result, BaseException)]
    assert [request.seq for request in good] == list(range(2, 30))
    assert (await journal.audit_verify())[0] == 29


async def test_money_is_no_before_attempt_and_unknown_after(journal: Journal) -> None:
    await journal.commit_refund(make_request(), [])
    [before] = await journal.money_rows(with_acked=False)
    assert (before.money, before.state) == (MoneyMoved.NO, RefundState.QUEUED)
    [row] = await journal.outbox_due(1)
    await journal.record_attempt([row.row_id])
    [after] = await journal.money_rows(with_acked=False)
    assert (after.money, after.state, after.attempts) == (MoneyMoved.UNKNOWN, RefundState.SENT, 1)


async def test_ack_stored_clears_row_and_marks_request(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    row = await journal.record_ack(ack(request.refund_request_id))
    assert row is not None
    assert row.status is OutboxStatus.ACKED
    assert await journal.outbox_due(10) == []
    record = await journal.refund(request.refund_request_id)
    assert record is not None
    assert record.is_stored
    assert await journal.record_ack(ack(request.refund_request_id)) is None


@pytest.mark.parametrize(
    "status", [AckStatus.CONFLICT, AckStatus.UNSUPPORTED, AckStatus.MALFORMED, AckStatus.UNKNOWN_TERMINAL]
)
async def test_ack_refusal_holds_row_outside_window_until_released(journal: Journal, status: AckStatus) -> None:
    request = await journal.commit_refund(make_request(), [])
    row = await journal.record_ack(ack(request.refund_request_id, status, detail="why"))
    assert row is not None
    assert (row.status, row.cause) == (OutboxStatus.HELD, f"{status}: why")
    assert await journal.outbox_due(10) == []
    assert (await journal.outbox_counts()).held == 1
    record = await journal.refund(request.refund_request_id)
    assert record is not None
    assert record.is_held
    assert await journal.release_held() == 1
    assert len(await journal.outbox_due(10)) == 1


async def test_ack_of_other_key_or_request_changes_nothing(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    assert await journal.record_ack(ack(request.refund_request_id, rev=2)) is None
    assert await journal.record_ack(ack(request.refund_request_id, kind="refund.answer")) is None
    assert await journal.record_ack(ack(make_request(9).refund_request_id)) is None
    assert len(await journal.outbox_due(10)) == 1


async def test_withdraw_queues_once_and_only_while_not_final(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    await journal.request_withdraw(request.refund_request_id, "02")
    await journal.request_withdraw(request.refund_request_id, "02")
    rows = await journal.outbox_due(10)
    assert [row.kind for row in rows] == ["refund.request", "refund.withdraw"]
    message = codec.decode_up(rows[1].payload)
    assert isinstance(message, RefundWithdrawMessage)
    assert message.operator_no == "02"
    other = await journal.commit_refund(make_request(2), [])
    await journal.apply_update(make_update(other.refund_request_id, RefundState.REJECTED), [])
    await journal.request_withdraw(other.refund_request_id, "02")
    assert len(await journal.outbox_due(10)) == 3
    with pytest.raises(JournalError):
        await journal.request_withdraw(make_request(7).refund_request_id, "02")


async def test_answer_twice_gets_next_rev(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    await journal.answer_question(request.refund_request_id, "13800000000", "01")
    await journal.answer_question(request.refund_request_id, "1", "01")
    answers = [codec.decode_up(row.payload) for row in (await journal.outbox_due(10))[1:]]
    assert [(m.rev, m.text) for m in answers if isinstance(m, RefundAnswerMessage)] == [(1, "13800000000"), (2, "1")]


async def test_find_by_tail_reference_and_order(journal: Journal) -> None:
    ids = [(await journal.commit_refund(make_request(n), [])).refund_request_id for n in (1, 2, 3)]
    assert [r.request.refund_request_id for r in await journal.newest_refunds(2, 1)] == [ids[1], ids[0]]
    [found] = await journal.refunds_by_tail(ids[1][-6:])
    assert found.request.refund_request_id == ids[1]
    assert await journal.refunds_by_tail("1" + ids[1][-7:]) == []
    [found] = await journal.refunds_by_reference("ORDER00000003")
    assert found.request.refund_request_id == ids[2]
    assert await journal.refunds_by_reference("ORDER0000000") == []
