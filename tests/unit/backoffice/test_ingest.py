"""What tills send: stored once, judged, answered truthfully; everything else kept and refused (D5, D8, D9, D15)."""

from base64 import b64encode
from datetime import timedelta

import msgspec
import pytest

from backoffice.ingest.context import Incoming
from backoffice.store.schema import EventRow, Message, Refund, RefusedBytes, Terminal
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.domain.refund import MoneyMoved, OriginalReference, ReferenceKind, RefundState, RefundType
from pos_agent.protocol.codec import decode_down, encode
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    PresenceMessage,
    RefundAnswerMessage,
    RefundRequestMessage,
    RefundStateMessage,
    RefundStatusMessage,
    RefundWithdrawMessage,
    StateAckMessage,
    TerminalEventMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.unit.backoffice.world import TERMINAL, World, acks_of


def _withdraw(request_id: str, *, world: World) -> RefundWithdrawMessage:
    return RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=request_id, rev=1, operator_no="01", at=world.now
    )


def _state_in_outbox(world: World, request_id: str) -> RefundStateMessage:
    row = world.outbox(request_id)
    assert row is not None
    message = decode_down(row.payload)
    assert isinstance(message, RefundStateMessage)
    return message


def test_request_new_is_stored_reviewed_and_told_with_money_not_moved(world: World) -> None:
    request = world.request()
    assert world.submit(request).status is AckStatus.STORED
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.sale_id, refund.maker_person_id) == ("reviewing", "s-000001", "zhang")
    update = _state_in_outbox(world, request.refund_request_id).update
    assert (update.state, update.money_moved, update.seq) == (RefundState.REVIEWING, MoneyMoved.NO, 1)


def test_request_again_is_duplicate_and_leaves_one_row(world: World) -> None:
    request = world.request()
    world.submit(request)
    assert world.submit(request).status is AckStatus.DUPLICATE
    message = RefundRequestMessage(terminal_id=TERMINAL, request=request, rev=2)
    ack = world.send(Leaf.UP_REFUND, message)[0].message
    assert isinstance(ack, AppAckMessage)
    assert (ack.status, ack.rev) == (AckStatus.DUPLICATE, 2)
    assert len(world.rows(Refund)) == 1


def test_request_same_id_other_content_is_conflict_and_alarmed_once(world: World) -> None:
    request = world.request()
    world.submit(request)
    other = msgspec.structs.replace(request, amount_minor=1)
    assert [world.submit(other).status for _ in range(2)] == [AckStatus.CONFLICT] * 2
    assert world.refund(request.refund_request_id).amount_minor == 12800
    assert [event.name for event in world.rows(EventRow)] == ["id_conflict"]


def test_request_same_id_of_another_till_is_conflict(world: World) -> None:
    world.enrol("t-shop-02")
    request = world.request()
    world.submit(request)
    other = msgspec.structs.replace(request, terminal_id="t-shop-02")
    assert world.submit(other, "t-shop-02").status is AckStatus.CONFLICT


@pytest.mark.parametrize(
    "fields",
    [
        {"refund_request_id": "9800000000000000000199"},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": MAX_AMOUNT_MINOR + 1},
        {"terminal_id": "t-other"},
    ],
)
def test_request_unusable_is_answered_malformed_and_kept(world: World, fields: dict[str, object]) -> None:
    ack = world.submit(world.request(**fields))
    assert ack.status is AckStatus.MALFORMED
    assert world.rows(Refund) == []
    assert [row.cause for row in world.rows(RefusedBytes)] == ["malformed"]


def _raw(world: World, payload: bytes, *, topic_of: str = TERMINAL, signed_by: str = TERMINAL) -> list[object]:
    data = seal(payload, payload_type=UP_TYPE, kid="d1", key=world.keys[signed_by])
    return list(world.receiver.receive([Incoming(terminal_topic(topic_of, Leaf.UP_REFUND), data)]))


def test_message_of_unknown_version_is_answered_unsupported(world: World) -> None:
    request_id = world.request().refund_request_id
    payload = msgspec.json.encode(
        {"type": "refund.request", "v": 9, "terminal_id": TERMINAL, "request": {"refund_request_id": request_id}}
    )
    replies = _raw(world, payload)
    assert [reply.message.status for reply in replies] == [AckStatus.UNSUPPORTED]  # type: ignore[attr-defined]


def test_message_signed_but_incomplete_is_answered_malformed_and_counted(world: World) -> None:
    request_id = world.request().refund_request_id
    payload = msgspec.json.encode(
        {"type": "refund.request", "terminal_id": TERMINAL, "request": {"refund_request_id": request_id}}
    )
    for _ in range(3):
        replies = _raw(world, payload)
        assert [reply.message.status for reply in replies] == [AckStatus.MALFORMED]  # type: ignore[attr-defined]
    assert [row.count for row in world.rows(RefusedBytes)] == [3]


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[]", b"{}", b"{" * 10_000, b"x" * 200_000])
def test_garbage_is_never_answered_and_never_raises(world: World, payload: bytes) -> None:
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    assert world.receiver.receive([Incoming(topic, payload)]) == []
    assert world.rows(Refund) == []


def test_message_with_wrong_signature_gets_no_answer_that_could_hold_the_tills_row(world: World) -> None:
    world.enrol("t-evil")
    payload = encode(RefundRequestMessage(terminal_id=TERMINAL, request=world.request()))
    assert _raw(world, payload, signed_by="t-evil") == []
    assert [row.cause for row in world.rows(RefusedBytes)] == ["unknown_terminal"]


def test_message_of_another_till_on_own_topic_is_refused(world: World) -> None:
    world.enrol("t-evil")
    payload = encode(RefundRequestMessage(terminal_id=TERMINAL, request=world.request()))
    assert _raw(world, payload, topic_of="t-evil", signed_by="t-evil") == []
    assert world.rows(Refund) == []


def test_message_of_a_till_that_is_not_enrolled_is_told_so(world: World) -> None:
    request = world.request(terminal_id="t-new")
    payload = b64encode(encode(RefundRequestMessage(terminal_id="t-new", request=request))).decode()
    data = msgspec.json.encode({"payloadType": UP_TYPE, "payload": payload, "signatures": []})
    replies = world.receiver.receive([Incoming(terminal_topic("t-new", Leaf.UP_REFUND), data)])
    assert [reply.message.status for reply in replies] == [AckStatus.UNKNOWN_TERMINAL]  # type: ignore[union-attr]
    assert world.rows(Refund) == []


def test_one_bad_message_in_a_batch_spares_the_others(world: World) -> None:
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    first, second = world.request(amount_minor=1), world.request(amount_minor=2)
    batch = [
        Incoming(topic, world.sealed(RefundRequestMessage(terminal_id=TERMINAL, request=first))),
        Incoming(topic, b"garbage"),
        Incoming(topic, world.sealed(RefundRequestMessage(terminal_id=TERMINAL, request=second))),
    ]
    assert len(acks_of(world.receiver.receive(batch))) == 2
    assert len(world.rows(Refund)) == 2


def test_f2_request_above_the_remainder_is_rejected_with_the_remainder_named(world: World) -> None:
    world.submit(world.request(amount_minor=12100))
    second = world.request(amount_minor=701)
    world.submit(second)
    refund = world.refund(second.refund_request_id)
    assert (refund.state, refund.reason_text) == ("rejected", "超过可退 7.00")
    assert _state_in_outbox(world, second.refund_request_id).update.money_moved is MoneyMoved.NO


def test_f9_request_on_a_sale_past_the_window_is_rejected(world: World) -> None:
    world.later(days=365)
    request = world.request()
    world.submit(request)
    assert world.refund(request.refund_request_id).reason_text == "超过退款期限(365天)"


@pytest.mark.parametrize(
    ("sale", "fields", "reason"),
    [
        ({"is_training": True}, {}, "演示交易不能退款"),
        ({"acquirer_id": "ended"}, {}, "该机构支付业务已终止(2025-07-09)"),
        ({"acquirer_id": "nobody"}, {}, "该机构不支持线上退款"),
        ({}, {"currency": "USD"}, "币种与原交易不符"),
        ({}, {"merchant_id": "M2"}, "绑定信息不一致"),
        ({}, {"is_training": True}, "演示交易不能退款"),
    ],
)
def test_hard_rule_rejects_at_ingest(
    world: World, sale: dict[str, object], fields: dict[str, object], reason: str
) -> None:
    world.add_sale(order_no="A100001", paid_minor=20000, **sale)
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "A100001")
    request = world.request(original_reference=reference, **fields)
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.reason_text) == ("rejected", reason)


def test_f1_request_without_a_known_sale_is_reviewed_with_a_flag(world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "nowhere1")
    request = world.request(original_reference=reference, flags=("unverified",))
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.sale_id) == ("reviewing", None)
    assert {"no_sale", "unverified"} <= set(refund.flags)


def test_f17_same_amount_on_the_same_sale_under_way_is_held(world: World) -> None:
    world.submit(world.request(amount_minor=300))
    second, third = world.request(amount_minor=300), world.request(amount_minor=301)
    world.submit(second)
    world.submit(third)
    assert world.refund(second.refund_request_id).state == "held"
    assert "duplicate" in world.refund(second.refund_request_id).flags
    assert world.refund(third.refund_request_id).state == "reviewing"


def test_f17_request_after_a_rejected_one_is_not_held(world: World) -> None:
    first = world.request(amount_minor=300)
    world.submit(first)
    world.decide(first.refund_request_id, "reject", reason="no receipt")
    second = world.request(amount_minor=300, previous_request_id=first.refund_request_id)
    world.submit(second)
    assert world.refund(second.refund_request_id).state == "reviewing"


def test_f4_sixth_request_in_an_hour_is_held(world: World) -> None:
    requests = [world.request(amount_minor=10 + number) for number in range(6)]
    for request in requests:
        world.submit(request)
        world.later(minutes=5)
    states = [world.refund(request.refund_request_id).state for request in requests]
    assert states == ["reviewing"] * 5 + ["held"]
    later = world.request(amount_minor=99, created_at=world.now + timedelta(hours=1))
    world.submit(later)
    assert world.refund(later.refund_request_id).state == "reviewing"


def test_operator_nobody_registered_gets_a_person_of_its_own_and_a_flag(world: World) -> None:
    request = world.request(operator_no="77")
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert refund.maker_person_id == "till:M1:77"
    assert "operator_unmapped" in refund.flags


def test_request_of_a_revoked_till_is_kept_and_held(world: World) -> None:
    with world.database.writing() as session:
        terminal = session.get(Terminal, TERMINAL)
        assert terminal is not None
        terminal.is_denied = True
    request = world.request()
    assert world.submit(request).status is AckStatus.STORED
    assert world.refund(request.refund_request_id).state == "held"


def test_withdrawal_while_reviewing_cancels_and_frees_the_remainder(world: World) -> None:
    request = world.request()
    world.submit(request)
    replies = world.send(Leaf.UP_REFUND, _withdraw(request.refund_request_id, world=world))
    assert [reply.message.status for reply in replies] == [AckStatus.STORED]  # type: ignore[union-attr]
    assert world.refund(request.refund_request_id).state == "canceled"
    again = world.request()
    world.submit(again)
    assert world.refund(again.refund_request_id).state == "reviewing"


def test_withdrawal_that_overtakes_its_request_still_cancels_it(world: World) -> None:
    request = world.request()
    world.send(Leaf.UP_REFUND, _withdraw(request.refund_request_id, world=world))
    world.submit(request)
    assert world.refund(request.refund_request_id).state == "canceled"


def test_withdrawal_after_the_end_changes_nothing_and_tells_the_till_again(world: World) -> None:
    request = world.request()
    world.submit(request)
    world.decide(request.refund_request_id, "reject", reason="no")
    world.send(Leaf.UP_REFUND, _withdraw(request.refund_request_id, world=world))
    assert world.refund(request.refund_request_id).state == "rejected"
    assert _state_in_outbox(world, request.refund_request_id).update.state is RefundState.REJECTED


def test_withdrawal_by_another_till_is_conflict(world: World) -> None:
    world.enrol("t-shop-02")
    request = world.request()
    world.submit(request)
    message = msgspec.structs.replace(_withdraw(request.refund_request_id, world=world), terminal_id="t-shop-02")
    replies = world.send(Leaf.UP_REFUND, message, "t-shop-02")
    assert [reply.message.status for reply in replies] == [AckStatus.CONFLICT]  # type: ignore[union-attr]
    assert world.refund(request.refund_request_id).state == "reviewing"


def test_answer_to_a_question_goes_back_to_review_once(world: World) -> None:
    request = world.request()
    world.submit(request)
    world.decide(request.refund_request_id, "need_info", reason="小票号?")
    assert _state_in_outbox(world, request.refund_request_id).update.question == "小票号?"
    message = RefundAnswerMessage(
        terminal_id=TERMINAL,
        refund_request_id=request.refund_request_id,
        rev=1,
        text="1234",
        operator_no="01",
        at=world.now,
    )
    world.send(Leaf.UP_REFUND, message)
    world.send(Leaf.UP_REFUND, message)
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.body["answers"]) == ("reviewing", ["1234"])
    assert len([row for row in world.rows(Message) if row.kind == "refund.answer"]) == 1


def test_state_ack_clears_only_the_state_it_names(world: World) -> None:
    request = world.request()
    world.submit(request)
    old = StateAckMessage(terminal_id=TERMINAL, refund_request_id=request.refund_request_id, epoch=1, seq=1)
    world.decide(request.refund_request_id, "reject", reason="no")
    world.send(Leaf.UP_ACK, old)
    assert world.outbox(request.refund_request_id) is not None
    world.send(Leaf.UP_ACK, msgspec.structs.replace(old, seq=2))
    assert world.outbox(request.refund_request_id) is None


def test_state_ack_of_another_till_clears_nothing(world: World) -> None:
    world.enrol("t-shop-02")
    request = world.request()
    world.submit(request)
    ack = StateAckMessage(terminal_id="t-shop-02", refund_request_id=request.refund_request_id, epoch=1, seq=9)
    world.send(Leaf.UP_ACK, ack, "t-shop-02")
    assert world.outbox(request.refund_request_id) is not None


def test_status_question_is_answered_for_the_own_request_only(world: World) -> None:
    world.enrol("t-shop-02")
    request = world.request()
    world.submit(request)
    question = RefundStatusMessage(terminal_id=TERMINAL, lookup_id="q", refund_request_id=request.refund_request_id)
    replies = world.send(Leaf.UP_QUERY, question)
    assert isinstance(replies[0].message, RefundStateMessage)
    other = msgspec.structs.replace(question, terminal_id="t-shop-02")
    assert world.send(Leaf.UP_QUERY, other, "t-shop-02") == []


def test_event_is_kept_once(world: World) -> None:
    event = TerminalEventMessage(terminal_id=TERMINAL, event_id="e1", name="printed", at=world.now)
    for _ in range(2):
        world.send(Leaf.UP_EVENT, event)
    assert [row.name for row in world.rows(EventRow)] == ["printed"]


def test_presence_late_will_of_an_earlier_connection_is_ignored(world: World) -> None:
    def presence(*, is_online: bool, conn_seq: int, boot_id: str = "b2") -> PresenceMessage:
        return PresenceMessage(
            terminal_id=TERMINAL,
            is_online=is_online,
            boot_id=boot_id,
            conn_seq=conn_seq,
            agent_version="0.1",
            at=world.now,
        )

    def is_online() -> bool:
        return next(bool(row.is_online) for row in world.rows(Terminal) if row.terminal_id == TERMINAL)

    world.send(Leaf.STATE, presence(is_online=True, conn_seq=5))
    world.send(Leaf.STATE, presence(is_online=False, conn_seq=4))
    world.send(Leaf.STATE, presence(is_online=False, conn_seq=9, boot_id="b1"))
    assert is_online()
    world.send(Leaf.STATE, presence(is_online=False, conn_seq=5))
    assert not is_online()


def test_coupon_request_approved_is_settled_without_an_acquirer(world: World) -> None:
    request_id = world.approved(refund_type=RefundType.COUPON, amount_minor=500)
    assert world.refund(request_id).state == "coupon_issued"
    update = _state_in_outbox(world, request_id).update
    assert (update.state, update.refunded_total_minor) == (RefundState.COUPON_ISSUED, 500)
    assert update.arrival is not None
