"""A small world for a breadth-first search over the product's own decisions (trust.md 20).

Two tills ask for one sale each; two reviewers with pages that grow old; an executor that crashes; an acquirer whose
answers get lost. The network is the worst there is: whatever was signed once may arrive any number of times, at any
time, in any order, or never. Every decision is made by the product's functions: `rules.judge`, `rules.refuse_amount`,
`ledger.sums_of`, `states.check_edge`, `refunds.stated_money`, `states.wire_state`, `identifiers.refund_no`,
`refund.money_truth`, what `ingest.requests` makes of a verdict while restoring, and the journal's own SQL for a state
that comes down. What is written here is only who calls what when.

`tests.model.restores` adds that the back office goes back to an older copy.
"""

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from backoffice.ingest.requests import _without_final_word
from backoffice.ledger import Sums, sums_of
from backoffice.refunds import stated_money
from backoffice.rules import Facts, SaleFacts, judge, refuse_amount
from backoffice.states import AT_ACQUIRER, FINAL, WITHDRAWABLE, State, check_edge, wire_state
from pos_agent.domain.refund import (
    Hold,
    RefundRequest,
    RefundType,
    RefundUpdate,
)
from pos_agent.journal import _backoffice
from pos_agent.journal._schema import JOURNAL_MIGRATIONS, migrate
from tests.fakes.samples import make_request, make_update
from tests.model.state import (
    IDS,
    NOW,
    PAID_MINOR,
    PROFILE,
    REVIEW,
    Page,
    Row,
    Said,
    World,
    has_moved,
    number_of,
    put,
)


class Rules:
    """The steps that can follow a world.

    Args:
        amounts: What each till asks for, in minor units; one or two.
        has_retriable: Whether the acquirer may refuse for lack of balance.
        can_withdraw: Whether cashiers withdraw.
        reviewers: How many decide.
        is_each_fault_once: Whether a crash, a lost answer, a lost call and an empty balance happen once at most, each:
            then there is an end to what can happen, and a search can see all of it.
    """

    def __init__(
        self,
        amounts: tuple[int, ...],
        *,
        has_retriable: bool = True,
        can_withdraw: bool = True,
        reviewers: int = 2,
        is_each_fault_once: bool = False,
    ) -> None:
        self.amounts = amounts
        self._is_each_fault_once = is_each_fault_once
        self._can_withdraw = can_withdraw
        self._reviewers = reviewers
        self._has_retriable = has_retriable

    def after(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield every world that one step leads to, with the step's name."""
        for request in range(len(self.amounts)):
            yield from self._till(world, request)
            yield from self._ingest(world, request)
            yield from self._executor(world, request)
        for reviewer in range(self._reviewers):
            yield from self._reviewer(world, reviewer)
        if any(world.waits) and self._may(world, "crash"):
            yield "office crashes", self._spent(world, "crash")._replace(waits=(False, False))
        for number in world.calls:
            yield from self._acquirer(world, number)

    def is_over(self, world: World) -> bool:
        """Return whether all refunds are final and their tills know it."""
        return all(
            row is not None and row.state in FINAL and known is not None and known.state == wire_state(row.state)
            for row, known in list(zip(world.rows, world.known, strict=True))[: len(self.amounts)]
        )

    def _may(self, world: World, fault: str) -> bool:
        return fault not in world.faults

    def _spent(self, world: World, fault: str) -> World:
        return world._replace(faults=world.faults | {fault}) if self._is_each_fault_once else world

    def sums(self, world: World, *, without: int | None = None) -> Sums:
        """Return the sums of the sale, by the back office's own arithmetic."""
        amounts = [
            (row.state.value, self.amounts[request])
            for request, row in enumerate(world.rows)
            if row is not None and request != without
        ]
        return sums_of(PAID_MINOR, 0, amounts, is_frozen=False)

    def sale_facts(self, world: World, *, without: int | None = None) -> SaleFacts:
        """Return what the rules look at."""
        return SaleFacts(
            paid_at=NOW - timedelta(days=1),
            currency="CNY",
            acquirer_id="simulated",
            terminal_id="",
            is_training=False,
            is_frozen=False,
            sums=self.sums(world, without=without),
        )

    def _till(self, world: World, request: int) -> Iterator[tuple[str, World]]:
        if not world.is_sent[request]:
            yield f"till {request} sends", world._replace(is_sent=put(world.is_sent, request, new=True))
        elif self._can_withdraw and not world.is_withdrawn[request]:
            yield f"till {request} withdraws", world._replace(is_withdrawn=put(world.is_withdrawn, request, new=True))
        for said in world.said[request]:
            if takes(world.known[request], said):
                yield f"till {request} hears {said.state}", world._replace(known=put(world.known, request, new=said))

    def _ingest(self, world: World, request: int) -> Iterator[tuple[str, World]]:
        row = world.rows[request]
        if row is None and world.is_sent[request]:
            facts = Facts(now=NOW, merchant_id="M", sale=self.sale_facts(world))
            verdict = judge(request_of(request, self.amounts[request]), facts, review=REVIEW, profile=PROFILE)
            if world.is_restoring:
                verdict = _without_final_word(verdict)
            yield f"office stores {request} {verdict.state}", announced(world, request, Row(verdict.state))
        is_withdrawable = row is not None and row.state in WITHDRAWABLE and not world.is_restoring
        if is_withdrawable and world.is_withdrawn[request]:
            yield f"office withdraws {request}", moved_to(world, request, State.CANCELED)

    def _reviewer(self, world: World, reviewer: int) -> Iterator[tuple[str, World]]:
        page = world.pages[reviewer]
        if world.is_restoring:
            return
        if page is not None:
            yield from self._decide(world, reviewer, page)
            return
        for request, row in enumerate(world.rows):
            if row is not None and row.state in (State.REVIEWING, State.HELD):
                new = Page(request, row.version, self.sums(world))
                yield f"reviewer {reviewer} opens {request}", world._replace(pages=put(world.pages, reviewer, new=new))

    def _decide(self, world: World, reviewer: int, page: Page) -> Iterator[tuple[str, World]]:
        row = world.rows[page.request]
        assert row is not None
        closed = world._replace(pages=put(world.pages, reviewer, new=None))
        if (row.version, self.sums(world)) != (page.version, page.sums):
            yield f"reviewer {reviewer} is told to look again", closed
            return
        if row.state is State.HELD and not row.is_end_known:
            yield f"reviewer {reviewer} releases", moved_to(closed, page.request, State.REVIEWING)
            return
        yield f"reviewer {reviewer} rejects", moved_to(closed, page.request, State.REJECTED)
        if row.state is State.HELD:
            return
        facts = self.sale_facts(world, without=page.request)
        if refuse_amount(facts, self.amounts[page.request], "CNY") is None:
            yield f"reviewer {reviewer} approves", moved_to(closed, page.request, State.APPROVED)

    def _executor(self, world: World, request: int) -> Iterator[tuple[str, World]]:
        row = world.rows[request]
        if row is None or world.waits[request] or world.is_restoring:
            return
        is_busy = any(
            one is not None and one.state in AT_ACQUIRER for other, one in enumerate(world.rows) if other != request
        )
        if row.state is State.APPROVED and not is_busy:
            if refuse_amount(self.sale_facts(world, without=request), self.amounts[request], "CNY") is not None:
                yield f"executor fails {request}", moved_to(world, request, State.FAILED)
            else:
                yield f"executor calls {request}", _called(world, request)
        elif row.state is State.EXECUTING and row.hold is not None:
            yield f"executor calls {request} again", _called(world, request)
        elif row.state is State.EXECUTING and row.is_open:
            yield f"executor finds {request} open", moved_to(world, request, State.UNKNOWN)
        elif row.state in AT_ACQUIRER:
            yield from _queried(world, request)

    def _acquirer(self, world: World, number: str) -> Iterator[tuple[str, World]]:
        """Let a call arrive, now or never; its answer reaches an executor that still waits, or gets lost."""
        request = next(one for one in (0, 1) if number == number_of(one))
        gone = world._replace(calls=world.calls - {number})
        is_known = any(one == number for one, _ in world.ledger)
        outcomes = [(gone, "known")] if is_known else []
        if not is_known:
            outcomes.append((gone._replace(ledger=gone.ledger | {(number, True)}), "moves"))
            outcomes.append((gone._replace(ledger=gone.ledger | {(number, False)}), "refuses"))
            if self._may(world, "lost call"):
                yield f"acquirer never hears {request}", _unanswered(self._spent(gone, "lost call"), request)
            if self._has_retriable and world.waits[request] and self._may(world, "no balance"):
                yield f"acquirer has no balance for {request}", _held(self._spent(gone, "no balance"), request)
        for after, name in outcomes:
            if not world.waits[request]:
                yield f"acquirer {name} {request}, nobody listens", after
                continue
            if self._may(world, "lost answer"):
                yield f"acquirer {name} {request}, no answer", _unanswered(self._spent(after, "lost answer"), request)
            if name != "refuses":
                yield f"acquirer {name} {request}", _accepted(after, request)
            else:
                yield f"acquirer {name} {request}", moved_to(_answered(after, request), request, State.FAILED)


@functools.cache
def request_of(request: int, amount_minor: int) -> RefundRequest:
    """Return what a till sends."""
    return make_request(
        request + 1,
        order_no="8",
        terminal_id=f"t-{request}",
        merchant_id="M",
        created_at=NOW,
        refund_type=RefundType.PARTIAL,
        amount_minor=amount_minor,
        seq=request + 1,
    )


def moved_to(world: World, request: int, state: State, *, hold: Hold | None = None, is_open: bool = False) -> World:
    """Move a refund along an edge of the product's table, and tell its till."""
    row = world.rows[request]
    assert row is not None
    check_edge(row.state, state)
    return announced(world, request, Row(state, row.version + 1, row.seq + 1, hold, is_open, row.is_end_known))


def announced(world: World, request: int, row: Row) -> World:
    money = stated_money(row.state, row.hold, None, is_restoring=world.is_restoring)
    said = Said(wire_state(row.state), row.seq, money, has_moved(world, request), world.epoch)
    if world.is_restoring:
        world = world._replace(is_answered=put(world.is_answered, request, new=False))
    return world._replace(
        rows=put(world.rows, request, new=row),
        said=put(world.said, request, new=world.said[request] | {said}),
    )


def _called(world: World, request: int) -> World:
    """Commit EXECUTING with an open attempt, then call."""
    executing = moved_to(world, request, State.EXECUTING, is_open=True)
    waits = put(executing.waits, request, new=True)
    return executing._replace(calls=executing.calls | {number_of(request)}, waits=waits)


def _answered(world: World, request: int) -> World:
    row = world.rows[request]
    assert row is not None
    rows = put(world.rows, request, new=row._replace(is_open=False))
    return world._replace(rows=rows, waits=put(world.waits, request, new=False))


def _accepted(world: World, request: int) -> World:
    return _answered(world, request)


def _unanswered(world: World, request: int) -> World:
    """No answer: UNKNOWN if somebody still waits; after a crash the open attempt says so."""
    return moved_to(_answered(world, request), request, State.UNKNOWN) if world.waits[request] else world


def _held(world: World, request: int) -> World:
    return moved_to(_answered(world, request), request, State.EXECUTING, hold=Hold.MERCHANT_BALANCE)


def _queried(world: World, request: int) -> Iterator[tuple[str, World]]:
    """Ask by number; "not found" is believed only when nothing is on its way any more: the settle time (D11)."""
    number = number_of(request)
    verdicts = [is_moved for one, is_moved in world.ledger if one == number]
    if verdicts:
        state = State.SUCCEEDED if verdicts[0] else State.FAILED
        yield f"query finds {request} {state}", moved_to(world, request, state)
    elif number not in world.calls:
        yield f"query does not find {request}", _called(world, request)


@functools.cache
def takes(known: Said | None, said: Said) -> bool:
    """Ask the journal's own SQL whether a state that comes down is taken."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(_journal_of_one())
        for one in (known, said):
            is_taken = one is not None and _backoffice.apply(connection, _update(one), (), NOW)
        return is_taken


@functools.cache
def _journal_of_one() -> bytes:
    """Return a journal's database with one request."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, JOURNAL_MIGRATIONS)
        connection.execute(
            "INSERT INTO refunds (seq, refund_request_id, reference, tail, amount_minor, created_at, request)"
            " VALUES (1, ?, '8', '8', 1, '', x'')",
            (IDS[0],),
        )
        return connection.serialize()


def _update(said: Said) -> RefundUpdate:
    return make_update(
        IDS[0],
        said.state,
        epoch=said.epoch,
        seq=said.seq,
        money_moved=said.money_moved,
        at=NOW,
    )
