from datetime import timedelta

import pytest

from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import SlipKind
from pos_agent.journal.store import Journal
from pos_agent.protocol.messages import AckStatus, SyncReplyMessage
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, TERMINAL_ID, make_request, make_slip, make_update
from tests.unit.journal.samples import ack


def reply(
    *, epoch: int = 1, token: str = "tok", highest_seq: int = 0, wanted: tuple[str, ...] = ()
) -> SyncReplyMessage:
    return SyncReplyMessage(
        terminal_id=TERMINAL_ID,
        boot_id="boot-1",
        conn_seq=1,
        page=1,
        epoch=epoch,
        token=token,
        highest_seq=highest_seq,
        at=START,
        wanted=wanted,
    )


async def test_update_newer_is_kept_with_its_slip(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    update = make_update(request.refund_request_id, RefundState.SUCCEEDED, seq=3)
    assert await journal.apply_update(update, [make_slip(request.refund_request_id, SlipKind.RESULT)])
    record = await journal.refund(request.refund_request_id)
    assert record is not None
    assert record.update == update
    assert record.is_stored
    assert await journal.next_print_job(with_results=False) is None
    job = await journal.next_print_job(with_results=True)
    assert job is not None
    assert job.kind is SlipKind.RESULT


@pytest.mark.parametrize(("epoch", "seq"), [(1, 1), (1, 2), (0, 99)])
async def test_update_old_or_repeated_is_ignored(journal: Journal, epoch: int, seq: int) -> None:
    request = await journal.commit_refund(make_request(), [])
    newest = make_update(request.refund_request_id, RefundState.EXECUTING, seq=2)
    assert await journal.apply_update(newest, [])
    old = make_update(request.refund_request_id, RefundState.REJECTED, epoch=epoch, seq=seq)
    assert not await journal.apply_update(old, [make_slip(request.refund_request_id, SlipKind.REJECT)])
    record = await journal.refund(request.refund_request_id)
    assert record is not None
    assert record.update == newest
    assert await journal.unfinished_print_jobs() == 0


async def test_i5_update_against_final_state_is_audited_and_changes_nothing(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    final = make_update(request.refund_request_id, RefundState.SUCCEEDED, seq=1)
    assert await journal.apply_update(final, [])
    lines, _ = await journal.audit_verify()
    assert not await journal.apply_update(make_update(request.refund_request_id, RefundState.FAILED, seq=9), [])
    record = await journal.refund(request.refund_request_id)
    assert record is not None
    assert record.update == final
    assert (await journal.audit_verify())[0] == lines + 1


async def test_update_of_unknown_request_is_ignored(journal: Journal) -> None:
    assert not await journal.apply_update(make_update(make_request(4).refund_request_id), [])
    assert (await journal.audit_verify())[0] == 0


async def test_sync_items_lists_non_final_with_order(journal: Journal) -> None:
    ids = [(await journal.commit_refund(make_request(n), [])).refund_request_id for n in (1, 2, 3)]
    await journal.apply_update(make_update(ids[0], RefundState.REVIEWING, epoch=2, seq=7), [])
    await journal.apply_update(make_update(ids[1], RefundState.CANCELED), [])
    items = await journal.sync_items()
    assert [(i.refund_request_id, i.state, i.epoch, i.seq) for i in items] == [
        (ids[0], RefundState.REVIEWING, 2, 7),
        (ids[2], RefundState.QUEUED, 0, 0),
    ]


async def test_sync_reply_keeps_token_and_queues_wanted_again(journal: Journal) -> None:
    request = await journal.commit_refund(make_request(), [])
    await journal.record_ack(ack(request.refund_request_id))
    await journal.record_sync_reply(reply(token="next", highest_seq=1, wanted=(request.refund_request_id, "98")))
    assert await journal.sync_head() == (1, "next", 1)
    assert [row.refund_request_id for row in await journal.outbox_due(10)] == [request.refund_request_id]
    await journal.record_ack(ack(request.refund_request_id))
    await journal.record_sync_reply(reply(token="later", highest_seq=1))
    assert await journal.outbox_due(10) == []
    await journal.record_sync_reply(reply(token="later", highest_seq=1, wanted=(request.refund_request_id,)))
    assert len(await journal.outbox_due(10)) == 1


async def test_sync_reply_new_epoch_offers_90_days_and_held_rows(journal: Journal, clock: ManualClock) -> None:
    await journal.record_sync_reply(reply())
    recent = await journal.commit_refund(make_request(1), [])
    held = await journal.commit_refund(make_request(2), [])
    await journal.record_ack(ack(recent.refund_request_id))
    await journal.record_ack(ack(held.refund_request_id, AckStatus.CONFLICT))
    await journal.record_sync_reply(reply(epoch=2, highest_seq=2))
    assert len(await journal.outbox_due(10)) == 2
    await journal.record_ack(ack(recent.refund_request_id, epoch=2))
    clock.wall = START + timedelta(days=91)
    await journal.record_sync_reply(reply(epoch=3, highest_seq=2))
    assert [row.refund_request_id for row in await journal.outbox_due(10)] == [held.refund_request_id]


async def test_ack_of_earlier_epoch_replayed_does_not_clear(journal: Journal) -> None:
    await journal.record_sync_reply(reply(epoch=2))
    request = await journal.commit_refund(make_request(), [])
    assert await journal.record_ack(ack(request.refund_request_id, epoch=1)) is None
    assert len(await journal.outbox_due(10)) == 1
    await journal.record_sync_reply(reply(epoch=1, token="old"))
    assert await journal.sync_head() == (1, "tok", 2)


async def test_i8_journal_that_went_back_is_audited_and_reuses_no_number(journal: Journal) -> None:
    await journal.commit_refund(make_request(1), [])
    await journal.record_sync_reply(reply(highest_seq=41))
    lines, _ = await journal.audit_verify()
    assert lines == 3, "committed, sync.epoch, journal.went_back"
    assert (await journal.commit_refund(make_request(2), [])).seq == 42
