"""sale.lookup and up/sync."""

import msgspec
import pytest

from backoffice import enrolment, sales
from backoffice.store.schema import EventRow, Terminal
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundState
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    SaleAnswerMessage,
    SaleLookUpMessage,
    StateAckMessage,
    SyncItem,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf
from tests.unit.backoffice.world import LOOKUP_KEY, ORDER, TERMINAL, World


def _look_up(world: World, kind: ReferenceKind, value: str, terminal_id: str = TERMINAL) -> LookUpResult:
    message = SaleLookUpMessage(
        terminal_id=terminal_id, lookup_id="q1", reference=OriginalReference(kind, value), operator_no="01"
    )
    answer = world.send(Leaf.UP_QUERY, message, terminal_id)[0].message
    assert isinstance(answer, SaleAnswerMessage)
    assert answer.result.lookup_id == "q1"
    return answer.result


def test_look_up_finds_by_order_trade_number_and_keyed_hash(world: World) -> None:
    trade_no = world.sale().channel_trade_no
    hashed = sales.order_no_hash(LOOKUP_KEY, ORDER)
    for kind, value in [
        (ReferenceKind.MERCHANT_ORDER_NO, ORDER),
        (ReferenceKind.CHANNEL_TRADE_NO, trade_no),
        (ReferenceKind.ORDER_NO_HASH, hashed),
    ]:
        result = _look_up(world, kind, value)
        assert result.outcome is LookUpOutcome.FOUND
        assert result.sale is not None
        assert (result.sale.order_no, result.sale.refundable_minor) == (ORDER, 12800)


def test_look_up_shows_what_is_reserved_and_the_earlier_request(world: World) -> None:
    world.submit(world.request(amount_minor=300))
    found = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER).sale
    assert found is not None
    assert (found.reserved_minor, found.refundable_minor) == (300, 12500)
    assert (found.earlier_amount_minor, found.earlier_state) == (300, RefundState.REVIEWING)


def test_look_up_of_another_merchants_sale_finds_nothing(world: World) -> None:
    world.enrol("t-other", "M2")
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER, "t-other")
    assert result.outcome is LookUpOutcome.NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "code", "parameters"),
    [
        ({"acquirer_id": "ended"}, "terminated", {"date": "2025-07-09"}),
        ({"is_training": True}, "training", {}),
        ({"base_refunded_minor": 500}, "nothing_left", {}),
    ],
)
def test_look_up_refuses_with_a_code(
    world: World, fields: dict[str, object], code: str, parameters: dict[str, str]
) -> None:
    world.add_sale(order_no="A100001", paid_minor=500, **fields)
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, "A100001")
    assert (result.outcome, result.code, result.parameters) == (LookUpOutcome.REFUSED, code, parameters)


def test_case_33_look_up_of_a_sale_of_366_days_ago_is_refused(world: World) -> None:
    world.later(days=365)
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER)
    assert (result.code, result.parameters) == ("past_window", {"days": "365"})


def _sync(world: World, *items: SyncItem, conn_seq: int = 1, token: str = "", **fields: object) -> SyncMessage:
    base = SyncMessage(
        terminal_id=TERMINAL,
        boot_id="b1",
        conn_seq=conn_seq,
        last_seq=99,
        page=1,
        pages=1,
        at=world.now,
        token=token,
        items=items,
    )
    return msgspec.structs.replace(base, **fields)


def _reply(world: World, message: SyncMessage) -> SyncReplyMessage:
    reply = world.send(Leaf.UP_SYNC, message)[0].message
    assert isinstance(reply, SyncReplyMessage)
    return reply


def _is_suspect(world: World) -> bool:
    return next(bool(row.is_suspect) for row in world.rows(Terminal) if row.terminal_id == TERMINAL)


def test_sync_asks_for_what_we_lack_and_resends_what_the_till_lacks(world: World) -> None:
    request = world.request()
    world.submit(request)
    request_id = request.refund_request_id
    world.decide(request_id, "reject", reason="no")
    world.send(Leaf.UP_ACK, StateAckMessage(terminal_id=TERMINAL, refund_request_id=request_id, epoch=1, seq=2))
    assert world.outbox(request_id) is None
    missing = make_refund_request_id(777)
    reply = _reply(
        world,
        _sync(
            world,
            SyncItem(refund_request_id=request_id, state=RefundState.REVIEWING, epoch=1, seq=1),
            SyncItem(refund_request_id=missing, state=RefundState.SENT),
        ),
    )
    assert reply.wanted == (missing,)
    assert reply.highest_seq == request.seq
    row = world.outbox(request_id)
    assert row is not None
    assert row.seq == 2


def test_sync_gives_a_new_token_for_each_connection_and_the_same_for_its_pages(world: World) -> None:
    first = _reply(world, _sync(world)).token
    assert _reply(world, _sync(world, page=2)).token == first
    second = _reply(world, _sync(world, conn_seq=2, token=first)).token
    assert second != first
    assert not _is_suspect(world)


def test_sync_reply_lost_leaves_the_older_token_good(world: World) -> None:
    first = _reply(world, _sync(world)).token
    _reply(world, _sync(world, conn_seq=2, token=first))
    _reply(world, _sync(world, conn_seq=3, token=first))
    assert not _is_suspect(world)


def _refusal(world: World, message: SyncMessage) -> AppAckMessage:
    refusal = world.send(Leaf.UP_SYNC, message)[0].message
    assert isinstance(refusal, AppAckMessage)
    return refusal


def _with_three_tokens(world: World) -> str:
    token = ""
    for conn_seq in (1, 2, 3):
        token = _reply(world, _sync(world, conn_seq=conn_seq, token=token)).token
    return token


def test_i8_sync_with_an_old_token_is_refused_alarmed_once_and_requests_are_held(world: World) -> None:
    _with_three_tokens(world)
    clone = _sync(world, boot_id="clone", token="token-1")
    for _ in range(2):
        refusal = _refusal(world, clone)
        assert (refusal.kind, refusal.status) == ("sync", AckStatus.CONFLICT)
        assert (refusal.boot_id, refusal.conn_seq) == ("clone", 1)
    assert _is_suspect(world)
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == ["clone_suspected"]
    request = world.request()
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert refund.state == "held"
    assert "clone_suspected" in refund.flags


def test_i8_copy_of_a_card_takes_neither_token_nor_connection_from_the_other(world: World) -> None:
    token = _with_three_tokens(world)
    _refusal(world, _sync(world, boot_id="clone", token="token-1"))
    assert _reply(world, _sync(world, conn_seq=3, token="token-2")).token == token
    assert _reply(world, _sync(world, conn_seq=4, token=token)).token not in ("", token)


def test_i8_cleared_till_is_believed_once_with_any_token(world: World) -> None:
    _with_three_tokens(world)
    _refusal(world, _sync(world, boot_id="older card", token="token-1"))
    with world.database.writing() as session:
        enrolment.mark_terminal(session, TERMINAL, is_denied=False)
    token = _reply(world, _sync(world, boot_id="older card", token="token-1")).token
    assert not _is_suspect(world)
    _reply(world, _sync(world, boot_id="older card", conn_seq=2, token=token))
    assert not _is_suspect(world)


def test_sync_replayed_by_the_broker_changes_nothing(world: World) -> None:
    old = _sync(world)
    token = _reply(world, old).token
    _reply(world, _sync(world, conn_seq=2, token=token))
    _reply(world, _sync(world, boot_id="b2", token=token))
    assert world.send(Leaf.UP_SYNC, old) == []
    assert not _is_suspect(world)


def test_i8_sync_of_a_till_that_forgot_submissions_is_alarmed(world: World) -> None:
    request = world.request()
    world.submit(request)
    _reply(world, _sync(world, last_seq=0))
    assert "terminal_went_back" in {row.name for row in world.rows(EventRow) if row.is_alarm}


def test_i8_sync_that_knows_more_than_we_do_is_alarmed(world: World) -> None:
    request = world.request()
    world.submit(request)
    item = SyncItem(refund_request_id=request.refund_request_id, state=RefundState.SUCCEEDED, epoch=1, seq=9)
    _reply(world, _sync(world, item))
    assert "back_office_went_back" in {row.name for row in world.rows(EventRow) if row.is_alarm}
