"""The lock on the sale, with real threads, on both databases (D9, I2; trust.md 4)."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backoffice import outbox, review
from backoffice.execution import steps
from backoffice.ingest import telling
from backoffice.ingest.context import Incoming
from backoffice.refunds import announce
from backoffice.review import Actor, Command
from backoffice.store.schema import OutboxRow, Refund, RefusedBytes, Terminal
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundRequestMessage, StateAckMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.integration.backoffice.racing import race, world
from tests.unit.backoffice.world import TERMINAL, World

__all__ = ["world"]
THREADS = 6
ROWS, ROUNDS = 60, 15


def _open_minor(world: World) -> int:
    states = {"held", "reviewing", "need_info", "approved", "executing", "unknown", "succeeded"}
    return sum(row.amount_minor for row in world.rows(Refund) if row.state in states)


def test_i2_requests_racing_for_one_sale_never_reserve_more_than_was_paid(world: World) -> None:
    requests = [world.request(amount_minor=5000 + number) for number in range(THREADS)]
    results = race(*[lambda request=request: world.submit(request) for request in requests])
    assert [getattr(result, "status", result) for result in results] == [AckStatus.STORED] * THREADS
    assert _open_minor(world) <= 12800
    states = sorted(row.state for row in world.rows(Refund))
    assert states == ["rejected"] * (THREADS - 2) + ["reviewing"] * 2


def test_one_request_racing_with_itself_is_stored_once(world: World) -> None:
    request = world.request()
    results = race(*[lambda: world.submit(request)] * THREADS)
    statuses = sorted(str(getattr(result, "status", result)) for result in results)
    assert statuses == ["duplicate"] * (THREADS - 1) + ["stored"]
    assert len(world.rows(Refund)) == 1


def test_two_reviewers_racing_on_one_page_decide_once(world: World) -> None:
    request = world.request()
    world.submit(request)
    with world.database.reading() as session:
        found = session.get(Refund, request.refund_request_id)
        assert found is not None
        shown = review.shown_now(session, found)

    def decide(person: str, kind: str) -> str:
        command = Command(kind=kind, shown=shown, reason="r")
        with world.database.writing() as session:
            return review.decide(
                session, world.context, Actor(person, person, "manager"), request.refund_request_id, command
            ).state

    results = race(lambda: decide("li", "approve"), lambda: decide("wang", "reject"))
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, review.StaleError) for result in results) == 1


def test_i1_executors_racing_for_one_refund_claim_it_once(world: World) -> None:
    request_id = world.approved()

    def claim() -> object:
        with world.database.writing() as session:
            return steps.claim(session, world.context, request_id, None)

    results = race(*[claim] * THREADS)
    assert sum(result is not None for result in results) == 1
    assert world.refund(request_id).attempt == 1


def test_two_refunds_of_one_sale_racing_to_execute_start_one(world: World) -> None:
    request_ids = [world.approved(amount_minor=amount) for amount in (100, 200)]

    def claim(request_id: str) -> object:
        with world.database.writing() as session:
            return steps.claim(session, world.context, request_id, None)

    results = race(*[lambda request_id=request_id: claim(request_id) for request_id in request_ids])
    assert sum(result is not None for result in results) == 1


def test_outbox_planned_hurried_and_acknowledged_at_once_ends_without_a_deadlock(world: World) -> None:
    due = world.now - timedelta(hours=1)
    with world.database.writing() as session:
        for number in range(ROWS):
            row = OutboxRow(refund_request_id=f"{number:022d}", terminal_id=TERMINAL, epoch=1, seq=1, payload=b"x")
            row.next_at, row.created_at = due + timedelta(seconds=number % 7), due
            session.add(row)

    def often(work: Callable[[Session], object]) -> int:
        for _ in range(ROUNDS):
            with world.database.writing() as session:
                work(session)
        return ROUNDS

    def plan(session: Session) -> None:
        outbox.take_due(session, lambda: world.now)
        outbox.hurry(session, lambda: due, TERMINAL)

    def acknowledge(session: Session) -> None:
        for row in session.scalars(select(OutboxRow).order_by(OutboxRow.seq).limit(2)):
            session.delete(row)
        session.flush()
        outbox.hurry(session, lambda: due)

    assert race(*[lambda: often(plan)] * 3, lambda: often(acknowledge)) == [ROUNDS] * 4


def _behind(first: Callable[[Session], object], second: Callable[[Session], object], world: World) -> None:
    """Let `second` begin while the transaction of `first` is open: it waits, or sees what was before."""
    is_begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with world.database.writing() as session:
            first(session)
            session.flush()
            is_begun.set()
            may_end.wait(1.0)

    def follow() -> None:
        assert is_begun.wait(10)
        with world.database.writing() as session:
            second(session)
        may_end.set()

    assert race(hold, follow) == [None, None]


def _state_anew(world: World, request_id: str) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        refund = session.get(Refund, request_id)
        assert refund is not None
        refund.seq += 1
        announce(session, refund, world.now)

    return work


def _acknowledged(world: World, request_id: str) -> Callable[[Session], None]:
    with world.database.reading() as session:
        row = session.get(OutboxRow, request_id)
        assert row is not None
        ack = StateAckMessage(
            terminal_id=TERMINAL, refund_request_id=request_id, epoch=row.epoch, seq=row.seq, status=AckStatus.STORED
        )

    def work(session: Session) -> None:
        terminal = session.get(Terminal, TERMINAL)
        assert terminal is not None
        telling.acknowledge(session, world.context, terminal, ack)

    return work


def test_i8_ack_of_a_state_never_deletes_the_newer_one_that_comes_between(world: World) -> None:
    request = world.request()
    world.submit(request)
    request_id = request.refund_request_id
    _behind(_state_anew(world, request_id), _acknowledged(world, request_id), world)
    assert [row.seq for row in world.rows(OutboxRow)] == [world.refund(request_id).seq]


def test_state_that_comes_while_the_older_one_is_acknowledged_is_sent(world: World) -> None:
    request = world.request()
    world.submit(request)
    request_id = request.refund_request_id
    _behind(_acknowledged(world, request_id), _state_anew(world, request_id), world)
    assert [row.seq for row in world.rows(OutboxRow)] == [world.refund(request_id).seq]


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_transaction_given_up_by_the_database_is_run_again(world: World, state: str) -> None:
    runs = []

    def work(session: Session) -> int:
        runs.append(session)
        if len(runs) < 3:
            given_up = Exception("deadlock detected")
            given_up.sqlstate = state  # type: ignore[attr-defined]
            raise OperationalError("UPDATE", {}, given_up)
        return len(runs)

    assert await world.database.write(work) == 3
    assert len(set(runs)) == 3


async def test_transaction_that_fails_for_another_reason_is_not_repeated(world: World) -> None:
    runs = []

    def work(session: Session) -> None:
        runs.append(session)
        raise OperationalError("UPDATE", {}, Exception("disk full"))

    with pytest.raises(OperationalError):
        await world.database.write(work)
    assert len(runs) == 1


async def test_whole_refund_runs_on_this_database(world: World) -> None:
    request_id = world.approved()
    await world.run_until(request_id, "succeeded")
    assert world.adapter.moved == {request_id: 12800}
    assert [line.number for line in world.trail(request_id)] == [1, 2, 3, 4]


def test_d8_message_with_a_text_too_long_for_its_column_never_stops_its_neighbours(world: World) -> None:
    """SQLite keeps it; PostgreSQL minds lengths, and before it raised in the transaction that all of them shared."""
    long, good = world.request(amount_minor=100, operator_no="7" * 200), world.request(amount_minor=200)
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    messages = [RefundRequestMessage(terminal_id=TERMINAL, request=request) for request in (long, good)]
    replies = world.receiver.receive([Incoming(topic, world.sealed(message)) for message in messages])
    acks = [reply.message for reply in replies if isinstance(reply.message, AppAckMessage)]
    told = {ack.refund_request_id: ack.status for ack in acks}
    is_strict = world.database.engine.dialect.name == "postgresql"
    refused = AckStatus.MALFORMED if is_strict else AckStatus.STORED
    assert told == {long.refund_request_id: refused, good.refund_request_id: AckStatus.STORED}
    assert len(world.rows(RefusedBytes)) == is_strict
