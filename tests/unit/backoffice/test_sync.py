"""up/sync."""

import msgspec

from backoffice import enrolment
from backoffice.store.schema import EventRow, Terminal
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import RefundState
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    StateAckMessage,
    SyncChallengeMessage,
    SyncItem,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf
from tests.unit.backoffice.world import TERMINAL, World


def _reply(world: World, message: SyncMessage) -> SyncReplyMessage:
    reply = world.compare(message)
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
        world.sync_page(
            SyncItem(refund_request_id=request_id, state=RefundState.REVIEWING, epoch=1, seq=1),
            SyncItem(refund_request_id=missing, state=RefundState.SENT),
        ),
    )
    assert reply.wanted == (missing,)
    assert reply.highest_seq == request.seq
    row = world.outbox(request_id)
    assert row is not None
    assert row.seq == 2


def _refusal(world: World, message: SyncMessage) -> AppAckMessage:
    refusal = world.compare(message)
    assert isinstance(refusal, AppAckMessage)
    return refusal


def _with_three_tokens(world: World) -> list[str]:
    tokens = [""]
    for conn_seq in (1, 2, 3):
        tokens.append(_reply(world, world.sync_page(conn_seq=conn_seq, token=tokens[-1])).token)
    return tokens


def test_sync_gives_a_new_token_for_each_comparison_and_the_same_for_its_pages(world: World) -> None:
    first = _reply(world, world.sync_page()).token
    second = _reply(world, world.sync_page(conn_seq=2, token=first)).token
    assert second != first
    assert _reply(world, world.sync_page(conn_seq=2, token=first, page=2)).token == second
    assert not _is_suspect(world)


def test_sync_reply_lost_leaves_the_older_token_good(world: World) -> None:
    first = _reply(world, world.sync_page()).token
    for conn_seq in range(2, 9):
        _reply(world, world.sync_page(conn_seq=conn_seq, token=first))
    assert not _is_suspect(world)


def test_i8_sync_with_an_old_token_is_refused_alarmed_once_and_requests_are_held(world: World) -> None:
    _, old, *_ = _with_three_tokens(world)
    clone = world.sync_page(boot_id="clone", token=old)
    for nonce in ("n1", "n2"):
        refusal = _refusal(world, msgspec.structs.replace(clone, nonce=nonce))
        assert (refusal.kind, refusal.status) == ("sync", AckStatus.CONFLICT)
        assert (refusal.boot_id, refusal.conn_seq, refusal.nonce) == ("clone", 1, f"{nonce}+")
    assert _is_suspect(world)
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == ["clone_suspected"]
    request = world.request()
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert refund.state == "held"
    assert "clone_suspected" in refund.flags


def test_i8_copy_of_a_card_takes_neither_token_nor_connection_from_the_other(world: World) -> None:
    tokens = _with_three_tokens(world)
    _refusal(world, world.sync_page(boot_id="clone", token=tokens[1]))
    assert _reply(world, world.sync_page(conn_seq=3, token=tokens[2])).token == tokens[3]
    assert _reply(world, world.sync_page(conn_seq=4, token=tokens[3])).token not in tokens


def test_i8_two_tills_that_go_on_from_one_token_are_told_apart_at_the_second_word_of_the_later(world: World) -> None:
    shared = _reply(world, world.sync_page()).token
    shop = _reply(world, world.sync_page(conn_seq=2, token=shared)).token
    thief = _reply(world, world.sync_page(boot_id="b2", token=shared)).token
    assert shop != thief
    _reply(world, world.sync_page(boot_id="b2", conn_seq=2, token=thief))
    _refusal(world, world.sync_page(conn_seq=3, token=shop))
    assert _is_suspect(world)


def test_i8_cleared_till_is_believed_once_with_any_token(world: World) -> None:
    _, old, *_ = _with_three_tokens(world)
    _refusal(world, world.sync_page(boot_id="older card", token=old))
    with world.database.writing() as session:
        enrolment.mark_terminal(session, TERMINAL, is_denied=False)
    token = _reply(world, world.sync_page(boot_id="older card", token=old)).token
    assert not _is_suspect(world)
    _reply(world, world.sync_page(boot_id="older card", conn_seq=2, token=token))
    assert not _is_suspect(world)


def test_i8_new_card_is_told_to_people_and_goes_on_and_the_old_one_is_a_copy(world: World) -> None:
    tokens = _with_three_tokens(world)
    fresh = _reply(world, world.sync_page(boot_id="new card")).token
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == ["token_lost"]
    _reply(world, world.sync_page(boot_id="new card", conn_seq=2, token=fresh))
    _refusal(world, world.sync_page(conn_seq=4, token=tokens[3]))


def test_sync_page_of_a_boot_that_the_broker_kept_back_does_not_harm_the_till(world: World) -> None:
    first = _reply(world, world.sync_page(boot_id="A")).token
    held_back = world.sync_page(boot_id="B", token=first)
    second = _reply(world, world.sync_page(boot_id="C", token=first)).token
    world.send(Leaf.UP_SYNC, held_back)
    third = _reply(world, world.sync_page(boot_id="D", token=second)).token
    for _ in range(3):
        assert isinstance(world.send(Leaf.UP_SYNC, held_back)[0].message, SyncChallengeMessage)
    _reply(world, world.sync_page(boot_id="E", token=third))
    assert not _is_suspect(world)
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == []


def test_sync_page_overtaken_by_a_request_is_no_journal_that_went_back(world: World) -> None:
    token = _reply(world, world.sync_page(last_seq=0, audit_lines=5, audit_head="a" * 64)).token
    late = world.sync_page(conn_seq=2, token=token, last_seq=0, audit_lines=5, audit_head="a" * 64)
    world.submit(world.request())
    _reply(world, world.sync_page(conn_seq=3, token=token, last_seq=1, audit_lines=9, audit_head="b" * 64))
    assert isinstance(world.send(Leaf.UP_SYNC, late)[0].message, SyncChallengeMessage)
    assert [row.name for row in world.rows(EventRow) if row.is_alarm] == []


def test_i8_sync_of_a_till_that_forgot_submissions_is_alarmed(world: World) -> None:
    request = world.request()
    world.submit(request)
    _reply(world, world.sync_page(last_seq=0))
    assert "terminal_went_back" in {row.name for row in world.rows(EventRow) if row.is_alarm}


def test_i8_sync_that_knows_more_than_we_do_is_alarmed(world: World) -> None:
    request = world.request()
    world.submit(request)
    item = SyncItem(refund_request_id=request.refund_request_id, state=RefundState.SUCCEEDED, epoch=1, seq=9)
    _reply(world, world.sync_page(item))
    assert "back_office_went_back" in {row.name for row in world.rows(EventRow) if row.is_alarm}
