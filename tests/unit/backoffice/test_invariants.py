"""I1–I9 from the back office's side, each by searching many orders of events (docs/architecture.md)."""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text as sql

from backoffice import audit, cases, ledger
from backoffice.execution.contract import Answer, Outcome
from backoffice.ingest.context import Incoming
from backoffice.review import DecisionError
from backoffice.states import AT_ACQUIRER, FINAL, SETTLED, State
from backoffice.store.database import Database
from backoffice.store.schema import Base, Decision, Refund
from pos_agent.domain.refund import MoneyMoved, OriginalReference, ReferenceKind, RefundRequest
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.messages import (
    RefundRequestMessage,
    RefundStateMessage,
    RefundWithdrawMessage,
    SaleLookUpMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.unit.backoffice.world import TERMINAL, World, acks_of, make_world

pytestmark = pytest.mark.slow

SEEDS = range(6)
#: A code that a cashier must never have been able to send; it is in the payer's code range (payments.md 3).
PAYMENT_CODE = "134567890123456789"


class Story:
    """Random events on one sale; what was seen on the way is kept for the checks."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.requests: list[RefundRequest] = []
        self.seen_states: dict[str, list[str]] = {}
        self.words: Counter[MoneyMoved] = Counter()
        self.untrue: list[tuple[str, MoneyMoved]] = []

    async def play(self, steps: int = 25) -> None:
        for _ in range(steps):
            await self.random.choice(
                [self._submit, self._repeat, self._decide, self._decide, self._execute, self._execute, self._withdraw]
            )()
            self._look()
        self.world.adapter.answers, self.world.adapter.queries = [], []
        for _ in range(10):
            self.world.later(seconds=400)
            await self.world.settle(3)
            self._look()

    async def _submit(self) -> None:
        request = self.world.request(amount_minor=self.random.choice([1000, 4000, 6400, 12800]))
        self.requests.append(request)
        self.world.submit(request)

    async def _repeat(self) -> None:
        if self.requests:
            topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
            chosen = [self.random.choice(self.requests) for _ in range(3)]
            messages = [RefundRequestMessage(terminal_id=TERMINAL, request=each) for each in chosen]
            self.world.receiver.receive([Incoming(topic, self.world.sealed(message)) for message in messages])

    async def _decide(self) -> None:
        if self.requests:
            request_id = self.random.choice(self.requests).refund_request_id
            kind = self.random.choice(["approve", "approve", "release", "reject"])
            try:
                self.world.decide(request_id, kind, reason="because")
            except DecisionError:
                return

    async def _withdraw(self) -> None:
        if self.requests and self.random.random() < 0.3:
            request_id = self.random.choice(self.requests).refund_request_id
            message = RefundWithdrawMessage(
                terminal_id=TERMINAL, refund_request_id=request_id, rev=1, operator_no="01", at=self.world.now
            )
            self.world.send(Leaf.UP_REFUND, message)

    async def _execute(self) -> None:
        adapter = self.world.adapter
        adapter.answers = [
            self.random.choice(
                [
                    Answer(Outcome.ACCEPTED),
                    Answer(Outcome.UNKNOWN, detail="lost"),
                    Answer(Outcome.UNKNOWN),
                    Answer(Outcome.REFUSED, "NOT_ENOUGH"),
                ]
            )
        ]
        adapter.queries = [Answer(Outcome.UNKNOWN)] if self.random.random() < 0.3 else []
        if self.random.random() < 0.3:
            self.world.executor._is_recovery_due = True  # a restart of the executor
        await self.world.executor.round()
        self.world.later(seconds=self.random.choice([1, 30, 400]))

    def _look(self) -> None:
        for refund in self.world.rows(Refund):
            states = self.seen_states.setdefault(refund.refund_request_id, [])
            if not states or states[-1] != refund.state:
                states.append(refund.state)
            row = self.world.outbox(refund.refund_request_id)
            message = decode_down(row.payload) if row else None
            if isinstance(message, RefundStateMessage):
                self._check_word(refund.refund_request_id, message.update.money_moved)

    def _check_word(self, request_id: str, word: MoneyMoved) -> None:
        """Compare what a till hears last with what the acquirer did; ``unknown`` is always true."""
        self.words[word] += 1
        has_moved = request_id in self.world.adapter.moved
        if (word is MoneyMoved.NO and has_moved) or (word is MoneyMoved.YES and not has_moved):
            self.untrue.append((request_id, word))


async def _story(world: World, seed: int) -> Story:
    world.config.review.max_requests_per_hour = 1000
    story = Story(world, seed)
    await story.play()
    return story


@pytest.mark.parametrize("seed", SEEDS)
async def test_i1_one_request_has_one_number_and_moves_money_at_most_once(world: World, seed: int) -> None:
    await _story(world, seed)
    numbers = Counter(order.refund_no for order in world.adapter.calls)
    by_request = {(order.refund_request_id, order.refund_no) for order in world.adapter.calls}
    assert len(by_request) == len(numbers)
    for refund in world.rows(Refund):
        moved = world.adapter.moved.get(refund.refund_no or "-", 0)
        assert moved in (0, refund.amount_minor)
        assert (moved > 0) == (refund.state == State.SUCCEEDED) or State(refund.state) in AT_ACQUIRER


@pytest.mark.parametrize("seed", SEEDS)
async def test_i2_a_sale_gives_back_no_more_than_was_paid(world: World, seed: int) -> None:
    await _story(world, seed)
    assert sum(world.adapter.moved.values()) <= 12800
    with world.database.reading() as session:
        sums = ledger.sums(session, world.sale())
    assert sums.paid_minor >= sums.refunded_minor + sums.reserved_minor
    settled = sum(refund.amount_minor for refund in world.rows(Refund) if refund.state in SETTLED)
    assert sums.refunded_minor == settled


@pytest.mark.parametrize("seed", SEEDS)
async def test_i3_nobody_decides_on_the_own_request(world: World, seed: int) -> None:
    await _story(world, seed)
    makers = {refund.refund_request_id: refund.maker_person_id for refund in world.rows(Refund)}
    for decision in world.rows(Decision):
        assert decision.person_id != makers[decision.refund_request_id]


@pytest.mark.parametrize("seed", SEEDS)
async def test_i4_i5_unknown_leaves_by_an_answer_and_final_states_never_change(world: World, seed: int) -> None:
    story = await _story(world, seed)
    for request_id, states in story.seen_states.items():
        finals = [state for state in states if State(state) in FINAL]
        assert finals == states[len(states) - len(finals) :]
        assert len(finals) <= 1
        for line in world.trail(request_id):
            if line.before == State.UNKNOWN and line.after != State.UNKNOWN:
                assert line.actor == "executor"


@pytest.mark.parametrize("seed", SEEDS)
async def test_i6_every_change_has_its_line_in_a_whole_chain(world: World, seed: int) -> None:
    story = await _story(world, seed)
    with world.database.reading() as session:
        assert audit.verify(session).differences == {}
    for request_id, states in story.seen_states.items():
        after = [line.after for line in world.trail(request_id)]
        assert [state for state in states if state not in after] == []


def test_i7_payment_code_in_a_look_up_is_kept_nowhere(world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, PAYMENT_CODE)
    message = SaleLookUpMessage(terminal_id=TERMINAL, lookup_id="q1", reference=reference, operator_no="01")
    world.send(Leaf.UP_QUERY, message)
    with world.database.reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(sql(f"SELECT * FROM {table.name}")):
                assert PAYMENT_CODE not in repr(tuple(row)), table.name


async def test_i8_what_was_acknowledged_is_there_after_the_process_is_gone(world: World) -> None:
    requests = [world.request(amount_minor=number + 1) for number in range(5)]
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    messages = [RefundRequestMessage(terminal_id=TERMINAL, request=each) for each in requests]
    acks = acks_of(world.receiver.receive([Incoming(topic, world.sealed(message)) for message in messages]))
    other = Database(world.database.engine.url.render_as_string(hide_password=False), pool=1)
    try:
        with other.reading() as session:
            assert {row.refund_request_id for row in session.query(Refund)} == {
                each.refund_request_id for each in requests
            }
    finally:
        other.close()
    assert len(acks) == 5


@pytest.mark.parametrize("seed", SEEDS)
async def test_i9_newest_word_on_money_is_never_against_the_acquirer(world: World, seed: int) -> None:
    story = await _story(world, seed)
    assert story.words[MoneyMoved.NO] > 0
    assert story.untrue == []


async def test_stories_reach_the_states_that_they_are_about(tmp_path: Path) -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with make_world(folder) as world:
            story = await _story(world, seed)
            seen |= {line.after for request_id in story.seen_states for line in world.trail(request_id)}
    assert {"held", "reviewing", "approved", "executing", "unknown", "succeeded", "rejected", "canceled"} <= seen


async def test_i3_closers_of_a_case_are_two_persons_beside_maker_and_approver(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.ACCEPTED)]
    request_id = world.approved()
    world.adapter.queries = [Answer(Outcome.ABNORMAL)]
    await world.run_until(request_id, "abnormal")
    case_id = world.cases()[0].case_id
    for login in ("chen", "zhao"):
        world.add_person(login, "finance")
    with world.database.writing() as session:
        cases.propose(session, world.context, world.actor("chen"), case_id, moved=MoneyMoved.NO, reason="bank says")
    for login in ("chen", "li"):
        with pytest.raises(DecisionError), world.database.writing() as session:
            cases.confirm(session, world.context, world.actor(login), case_id, proposal="no")
    with world.database.writing() as session:
        cases.confirm(session, world.context, world.actor("zhao"), case_id, proposal="no")
    assert world.refund(request_id).state == "closed"
    assert msgspec.to_builtins(world.refund(request_id).closed_as) == "no"
