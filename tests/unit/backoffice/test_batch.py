"""Requests that share a transaction share its statements, never their fate (D5, D7, D9)."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, insert
from sqlalchemy.orm import Session

from backoffice import audit, outbox
from backoffice.ingest import requests
from backoffice.ingest.context import Incoming, Reply
from backoffice.ingest.finding import PersonHours
from backoffice.store.schema import Base, Message, OutboxRow, Refund
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundRequest
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    RefundRequestMessage,
    RefundStateMessage,
    RefundWithdrawMessage,
    StateAckMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.unit.backoffice.world import START, TERMINAL, World


def _incoming(world: World, *asked: RefundRequest) -> list[Incoming]:
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    messages = [RefundRequestMessage(terminal_id=TERMINAL, request=request) for request in asked]
    return [Incoming(topic, world.sealed(message)) for message in messages]


def _statuses(world: World, batch: list[Incoming]) -> list[AckStatus]:
    acks = [reply.message for reply in world.receiver.receive(batch)]
    return [ack.status for ack in acks if isinstance(ack, AppAckMessage)]


def test_i2_batch_on_one_sale_sees_what_the_batch_reserved_before(world: World) -> None:
    made = [world.request(amount_minor=amount) for amount in (5000, 6000, 5000, 1800)]
    assert _statuses(world, _incoming(world, *made)) == [AckStatus.STORED] * 4
    states = [world.refund(request.refund_request_id).state for request in made]
    assert states == ["reviewing", "reviewing", "rejected", "reviewing"]


def test_f17_batch_same_amount_twice_holds_the_second(world: World) -> None:
    made = [world.request(amount_minor=100) for _ in range(2)]
    _statuses(world, _incoming(world, *made))
    assert [world.refund(each.refund_request_id).state for each in made] == ["reviewing", "held"]


def test_f4_batch_of_one_operator_counts_within_the_batch(world: World) -> None:
    made = [world.request(amount_minor=100 + number) for number in range(7)]
    _statuses(world, _incoming(world, *made))
    flags = ["velocity" in world.refund(each.refund_request_id).flags for each in made]
    assert flags == [False] * 5 + [True] * 2


def test_batch_with_a_repeat_and_a_conflict_answers_each_in_order(world: World) -> None:
    first, other = world.request(amount_minor=100), world.request(amount_minor=200)
    changed = msgspec.structs.replace(first, amount_minor=300)
    statuses = _statuses(world, _incoming(world, first, first, other, changed))
    assert statuses == [AckStatus.STORED, AckStatus.DUPLICATE, AckStatus.STORED, AckStatus.CONFLICT]
    assert world.refund(first.refund_request_id).amount_minor == 100


def test_batch_with_sales_found_in_different_ways_binds_each(world: World) -> None:
    world.add_sale(order_no="8202611221832000000000000000002", paid_minor=900)
    by_id = world.request(amount_minor=100, sale_id="s-000002")
    by_number = world.request(amount_minor=101)
    unknown = world.request(
        amount_minor=102, original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "820261122183299")
    )
    _statuses(world, _incoming(world, by_id, by_number, unknown))
    found = [world.refund(each.refund_request_id).sale_id for each in (by_id, by_number, unknown)]
    assert found == ["s-000002", "s-000001", None]


def test_batch_withdrawal_between_requests_keeps_its_place(world: World) -> None:
    first, second = world.request(), world.request()
    withdraw = RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=first.refund_request_id, rev=1, operator_no="01", at=world.now
    )
    one, two = _incoming(world, first, second)
    middle = Incoming(terminal_topic(TERMINAL, Leaf.UP_REFUND), world.sealed(withdraw))
    assert _statuses(world, [one, middle, two]) == [AckStatus.STORED] * 3
    assert world.refund(first.refund_request_id).state == "canceled"
    assert world.refund(second.refund_request_id).state == "reviewing"


def test_i6_batch_begins_a_whole_chain_for_each_request(world: World) -> None:
    made = [world.request(amount_minor=100 + number) for number in range(3)]
    _statuses(world, _incoming(world, *made))
    world.decide(made[1].refund_request_id, "approve")
    assert [len(world.trail(each.refund_request_id)) for each in made] == [1, 2, 1]
    assert all(audit.is_chain_whole(world.trail(each.refund_request_id)) for each in made)


def test_batch_stored_by_another_worker_meanwhile_is_answered_duplicate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = world.request(amount_minor=100), world.request(amount_minor=200)
    world.submit(first)
    look, looks = requests._known, []

    def blind_at_first(session: Session, request_ids: list[str]) -> dict[str, list[Message]]:
        """See nothing of the other worker's row once, as a snapshot from before its commit would."""
        looks.append(request_ids)
        return {} if len(looks) == 1 else look(session, request_ids)

    monkeypatch.setattr(requests, "_known", blind_at_first)
    assert _statuses(world, _incoming(world, first, second)) == [AckStatus.DUPLICATE, AckStatus.STORED]
    assert len(looks) == 3
    assert len(world.rows(Refund)) == 2


def test_batch_of_requests_needs_few_statements(world: World) -> None:
    made = [world.request(amount_minor=100 + number) for number in range(40)]
    batch = _incoming(world, *made)
    statements: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert _statuses(world, batch) == [AckStatus.STORED] * 40
    by_number = [each for each in statements if "FROM sales" in each]
    assert len(statements) - len(by_number) < 20


def test_outbox_rows_due_together_are_planned_together(world: World) -> None:
    made = [world.request(amount_minor=100 + number) for number in range(5)]
    _statuses(world, _incoming(world, *made))
    world.later(seconds=outbox.FIRST_PAUSE_S)
    with world.database.writing() as session:
        rows = outbox.take_due(session, lambda: world.now)
    assert {row.refund_request_id for row in rows} == {each.refund_request_id for each in made}
    assert {row.attempts for row in world.rows(OutboxRow)} == {2}
    with world.database.writing() as session:
        assert outbox.take_due(session, lambda: world.now) == []


def _states(replies: list[Reply]) -> list[RefundStateMessage]:
    return [reply.message for reply in replies if isinstance(reply.message, RefundStateMessage)]


def _acked(world: World, state: RefundStateMessage, *, seq: int | None = None) -> Incoming:
    update = state.update
    ack = StateAckMessage(
        terminal_id=TERMINAL,
        refund_request_id=update.refund_request_id,
        epoch=update.epoch,
        seq=update.seq if seq is None else seq,
    )
    return Incoming(terminal_topic(TERMINAL, Leaf.UP_ACK), world.sealed(ack))


def test_first_state_goes_with_the_ack_and_again_when_its_till_says_nothing(world: World) -> None:
    made = [world.request(amount_minor=100 + number) for number in range(3)]
    states = _states(world.receiver.receive(_incoming(world, *made)))
    assert [state.update.refund_request_id for state in states] == [each.refund_request_id for each in made]
    assert [state.update.seq for state in states] == [1, 1, 1]
    world.receiver.receive([_acked(world, states[1])])
    world.later(seconds=outbox.FIRST_PAUSE_S)
    with world.database.writing() as session:
        again = outbox.take_due(session, lambda: world.now)
    assert {row.refund_request_id for row in again} == {made[0].refund_request_id, made[2].refund_request_id}


def test_acks_between_requests_clear_their_rows_and_keep_the_requests_together(world: World) -> None:
    states = _states(world.receiver.receive(_incoming(world, *[world.request(amount_minor=10 + n) for n in range(8)])))
    made = [world.request(amount_minor=100 + number) for number in range(8)]
    mixed = [
        each for pair in zip(_incoming(world, *made), [_acked(world, s) for s in states], strict=True) for each in pair
    ]
    statements: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert _statuses(world, mixed) == [AckStatus.STORED] * 8
    assert len(statements) < 30
    left = {row.refund_request_id for row in world.rows(OutboxRow)}
    assert left == {each.refund_request_id for each in made}


def test_i8_acks_of_older_states_or_of_another_till_clear_nothing(world: World) -> None:
    world.enrol("t-shop-02")
    states = _states(world.receiver.receive(_incoming(world, world.request(amount_minor=1), world.request())))
    foreign = StateAckMessage(
        terminal_id="t-shop-02", refund_request_id=states[1].update.refund_request_id, epoch=9, seq=9
    )
    topic = terminal_topic("t-shop-02", Leaf.UP_ACK)
    world.receiver.receive(
        [_acked(world, states[0], seq=0), Incoming(topic, world.sealed(foreign, terminal_id="t-shop-02"))]
    )
    assert len(world.rows(OutboxRow)) == 2


@given(
    stored=st.lists(st.integers(0, 200), max_size=12),
    group=st.lists(st.integers(0, 200), min_size=1, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_f4_hours_of_a_person_are_counted_as_one_by_one(stored: list[int], group: list[int]) -> None:
    times = sorted(START + timedelta(minutes=minutes) for minutes in group)
    entered = [START + timedelta(minutes=minutes) for minutes in stored]
    engine = create_engine("sqlite://")
    Base.metadata.tables[Refund.__tablename__].create(engine)
    with Session(engine) as session:
        if entered:
            session.connection().execute(insert(Refund), [_made_at(number, at) for number, at in enumerate(entered)])
        hours = PersonHours(session, "zhang", times[0], times[-1])
        for at in times:
            assert hours.before(at) == sum(at - timedelta(hours=1) < other <= at for other in entered)
            hours.enter(at)
            entered.append(at)
    engine.dispose()


def _made_at(number: int, at: datetime) -> dict[str, Any]:
    return {
        "refund_request_id": str(number),
        "terminal_id": TERMINAL,
        "merchant_id": "M1",
        "state": "reviewing",
        "amount_minor": 1,
        "currency": "CNY",
        "operator_no": "01",
        "maker_person_id": "zhang",
        "terminal_seq": number,
        "body": {},
        "created_at": at,
        "received_at": at,
        "updated_at": at,
    }
