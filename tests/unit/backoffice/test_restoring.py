"""After a restore nothing is executed, decided or called unpaid until everything was asked again (trust.md 8)."""

import msgspec
import pytest

from backoffice import restoring
from backoffice.execution.contract import Answer, Outcome
from backoffice.restoring import Progress
from backoffice.review import DecisionError
from backoffice.store.schema import EventRow, Refund, Terminal
from pos_agent.domain.refund import MoneyMoved, RefundState
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    RefundStateMessage,
    RefundWithdrawMessage,
    StateAckMessage,
    SyncChallengeMessage,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf
from tests.unit.backoffice.world import TERMINAL, World


def _restore(world: World) -> int:
    """Start a new epoch, as `pos-backoffice restore` does; the till was in use before."""
    with world.database.writing() as session:
        terminal = session.get(Terminal, TERMINAL)
        assert terminal is not None
        terminal.last_seen_at = world.now
    with world.database.writing() as session:
        return restoring.begin(session, lambda: world.now)


def _sync(world: World, last_seq: int, conn_seq: int = 1) -> SyncReplyMessage:
    message = SyncMessage(
        terminal_id=TERMINAL, boot_id="b9", conn_seq=conn_seq, last_seq=last_seq, page=1, pages=1, at=world.now
    )
    reply = world.compare(message)
    assert isinstance(reply, SyncReplyMessage)
    return reply


def _told(world: World, request_id: str) -> RefundStateMessage:
    row = world.outbox(request_id)
    assert row is not None
    message = decode_down(row.payload)
    assert isinstance(message, RefundStateMessage)
    return message


def _ack(world: World, request_id: str, status: AckStatus = AckStatus.STORED) -> None:
    update = _told(world, request_id).update
    world.send(
        Leaf.UP_ACK,
        StateAckMessage(
            terminal_id=TERMINAL, refund_request_id=request_id, epoch=update.epoch, seq=update.seq, status=status
        ),
    )


def _progress(world: World) -> Progress:
    with world.database.reading() as session:
        return restoring.progress(session)


async def _until_done(world: World) -> None:
    for _ in range(20):
        for row in world.rows(Refund):
            if world.outbox(row.refund_request_id) is not None:
                _ack(world, row.refund_request_id)
        await world.settle()
        if _progress(world).is_done:
            return
        world.later(seconds=10)
    raise AssertionError(str(_progress(world)))


def test_restore_starts_an_epoch_above_every_earlier_one(world: World) -> None:
    first = _restore(world)
    second = _restore(world)
    assert 1 < first < second
    with world.database.writing() as session:
        assert restoring.begin(session, lambda: world.now, lost_epoch=second + 1000) == second + 1001
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == ["restored"] * 3


def test_i9_restored_open_request_is_told_again_with_money_unknown(world: World) -> None:
    request = world.request()
    world.submit(request)
    epoch = _restore(world)
    update = _told(world, request.refund_request_id).update
    assert (update.epoch, update.state, update.money_moved) == (epoch, RefundState.REVIEWING, MoneyMoved.UNKNOWN)


def test_i9_request_offered_again_while_restoring_is_told_with_money_unknown(world: World) -> None:
    _restore(world)
    request = world.request()
    assert world.submit(request).status is AckStatus.STORED
    assert _told(world, request.refund_request_id).update.money_moved is MoneyMoved.UNKNOWN


def test_i9_request_that_rules_would_reject_is_held_while_restoring(world: World) -> None:
    _restore(world)
    request = world.request(amount_minor=99_999_00)
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert refund.state == "held"
    assert {"over_refundable", "restored"} <= set(refund.flags)


def test_decision_while_restoring_is_refused(world: World) -> None:
    request = world.request()
    world.submit(request)
    _restore(world)
    with pytest.raises(DecisionError, match="restoring"):
        world.decide(request.refund_request_id, "approve")


async def test_i1_approved_refund_is_not_executed_while_restoring(world: World) -> None:
    request_id = world.approved()
    _restore(world)
    await world.settle()
    world.later(seconds=3600)
    await world.settle()
    assert world.adapter.calls == []
    assert world.refund(request_id).state == "approved"
    assert _progress(world).silent_tills == (TERMINAL,)


async def test_i1_refund_paid_after_the_copy_is_found_by_its_number_and_never_called_again(world: World) -> None:
    request = world.request()
    world.submit(request)
    request_id = request.refund_request_id
    world.adapter.moved[request_id] = request.amount_minor
    _restore(world)
    _sync(world, last_seq=request.seq)
    await _until_done(world)
    assert world.refund(request_id).state == "succeeded"
    assert world.adapter.calls == []
    assert [line.after for line in world.trail(request_id)] == ["reviewing", "unknown", "succeeded"]


async def test_i1_request_lost_with_the_database_comes_back_from_the_till_and_is_found_paid(world: World) -> None:
    _restore(world)
    request = world.request()
    reply = _sync(world, last_seq=request.seq)
    assert reply.epoch == _progress(world).epoch
    assert _progress(world).silent_tills == (TERMINAL,)
    world.adapter.moved[request.refund_request_id] = request.amount_minor
    world.submit(request)
    await _until_done(world)
    assert world.refund(request.refund_request_id).state == "succeeded"
    assert world.adapter.calls == []


async def test_not_found_is_believed_only_after_the_settle_time(world: World) -> None:
    request_id = world.approved()
    _restore(world)
    _sync(world, last_seq=1)
    _ack(world, request_id)
    await world.settle()
    assert _progress(world).unchecked == 1
    world.later(seconds=59)
    await world.settle()
    assert _progress(world).unchecked == 1
    world.later(seconds=2)
    await world.settle()
    assert _progress(world).is_done
    await world.run_until(request_id, "succeeded")
    assert len(world.adapter.calls) == 1


async def test_acquirer_that_does_not_answer_keeps_the_restore_open(world: World) -> None:
    world.approved()
    _restore(world)
    _sync(world, last_seq=1)
    world.adapter.queries = [Answer(Outcome.UNKNOWN)] * 3
    for _ in range(3):
        world.later(seconds=100)
        await world.settle(1)
    assert _progress(world).unchecked == 1
    await _until_done(world)


async def test_refund_under_way_at_the_acquirer_goes_on_being_queried_after_the_restore(world: World) -> None:
    request = world.request()
    world.submit(request)
    world.adapter.queries = [Answer(Outcome.PROCESSING)]
    _restore(world)
    _sync(world, last_seq=1)
    await world.settle(1)
    assert world.refund(request.refund_request_id).state == "unknown"
    world.adapter.moved[request.refund_request_id] = request.amount_minor
    await _until_done(world)
    await world.run_until(request.refund_request_id, "succeeded")
    assert world.adapter.calls == []


async def test_i5_final_state_that_the_acquirer_contradicts_opens_a_case(world: World) -> None:
    request = world.request()
    world.submit(request)
    world.decide(request.refund_request_id, "reject", reason="no")
    world.adapter.moved[request.refund_request_id] = request.amount_minor
    _restore(world)
    _sync(world, last_seq=1)
    await world.settle(1)
    assert world.refund(request.refund_request_id).state == "rejected"
    assert [case.kind for case in world.cases()] == ["contradiction"]
    assert world.sale().is_frozen


async def test_withdrawal_while_restoring_is_applied_at_its_end(world: World) -> None:
    request = world.request()
    world.submit(request)
    _restore(world)
    _sync(world, last_seq=1)
    withdraw = RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=request.refund_request_id, rev=1, operator_no="01", at=world.now
    )
    world.send(Leaf.UP_REFUND, withdraw)
    assert world.refund(request.refund_request_id).state == "reviewing"
    await _until_done(world)
    assert world.refund(request.refund_request_id).state == "canceled"


async def test_withdrawal_while_restoring_of_a_paid_refund_changes_nothing(world: World) -> None:
    request = world.request()
    world.submit(request)
    world.adapter.moved[request.refund_request_id] = request.amount_minor
    _restore(world)
    _sync(world, last_seq=1)
    withdraw = RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=request.refund_request_id, rev=1, operator_no="01", at=world.now
    )
    world.send(Leaf.UP_REFUND, withdraw)
    await _until_done(world)
    assert world.refund(request.refund_request_id).state == "succeeded"


async def test_i5_refund_whose_end_only_the_till_knows_is_held(world: World) -> None:
    request_id = world.approved()
    _restore(world)
    _sync(world, last_seq=1)
    _ack(world, request_id, AckStatus.CONFLICT)
    refund = world.refund(request_id)
    assert refund.state == "held"
    assert "till_knows_end" in refund.flags
    assert "till_knows_end" in {row.name for row in world.rows(EventRow) if row.is_alarm}


async def test_i9_refund_whose_end_only_the_till_knows_is_never_paid(world: World) -> None:
    request_id = world.approved()
    _restore(world)
    _sync(world, last_seq=1)
    _ack(world, request_id, AckStatus.CONFLICT)
    await _until_done(world)
    with pytest.raises(DecisionError, match="till_knows_end"):
        world.decide(request_id, "release")
    world.decide(request_id, "reject", reason="told by the till")
    assert world.refund(request_id).state == "rejected"


def test_conflict_ack_without_a_restore_holds_nothing(world: World) -> None:
    request_id = world.approved()
    _ack(world, request_id, AckStatus.CONFLICT)
    assert world.refund(request_id).state == "approved"
    assert world.outbox(request_id) is None


async def test_restore_ended_by_a_person_goes_on_and_names_the_person(world: World) -> None:
    request_id = world.approved()
    _restore(world)
    await world.settle()
    with world.database.writing() as session:
        restoring.finish(session, world.context, by="person:li")
    assert _progress(world).finished_by == "person:li"
    await world.run_until(request_id, "succeeded")


async def test_restore_done_tells_open_requests_that_nothing_moved(world: World) -> None:
    request = world.request()
    world.submit(request)
    _restore(world)
    _sync(world, last_seq=1)
    await _until_done(world)
    update = _told(world, request.refund_request_id).update
    assert update.money_moved is MoneyMoved.NO
    assert world.decide(request.refund_request_id, "approve").state == "approved"


async def test_till_not_heard_keeps_the_restore_open_and_a_revoked_one_does_not(world: World) -> None:
    world.enrol("t-shop-02")
    _restore(world)
    with world.database.writing() as session:
        other = session.get(Terminal, "t-shop-02")
        assert other is not None
        other.last_seen_at = world.now
    _sync(world, last_seq=0)
    assert _progress(world).silent_tills == ("t-shop-02",)
    with world.database.writing() as session:
        other = session.get(Terminal, "t-shop-02")
        assert other is not None
        other.is_denied = True
    assert _progress(world).silent_tills == ()


def test_sync_after_a_restore_accepts_the_tokens_that_the_copy_never_saw(world: World) -> None:
    _sync(world, last_seq=0)
    _restore(world)
    message = SyncMessage(
        terminal_id=TERMINAL, boot_id="b10", conn_seq=1, last_seq=0, page=1, pages=1, at=world.now, token="lost-token"
    )
    reply = world.compare(message)
    assert isinstance(reply, SyncReplyMessage)
    again = msgspec.structs.replace(message, conn_seq=2, token="older-token")
    assert isinstance(world.compare(again), AppAckMessage)


def test_page_from_before_a_restore_that_is_replayed_does_not_count_as_the_till(world: World) -> None:
    old = SyncMessage(terminal_id=TERMINAL, boot_id="b9", conn_seq=1, last_seq=0, page=1, pages=1, at=world.now)
    world.compare(old)
    _restore(world)
    assert isinstance(world.send(Leaf.UP_SYNC, old)[0].message, SyncChallengeMessage)
    assert _progress(world).silent_tills == (TERMINAL,)
