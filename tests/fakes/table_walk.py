"""A shortest way to every row of the refund menu's table: what to fire, with which input and facts, to make it happen.

A breadth-first search over guards and actions of the table itself, with inputs that stand for all there are.
"""

from collections import deque
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from pos_agent.domain.approval import ApprovalAnswer
from pos_agent.domain.codes import Code, CodeKind
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.events import PinChecked
from pos_agent.domain.refund import MoneyMoved, OriginalReference, ReferenceKind, RefundRequest, RefundState, RefundType
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.journal.records import RefundRecord
from pos_agent.workflow.guards import typed_amount
from pos_agent.workflow.model import Context, Facts, Fresh, Input, RefundEntry, Rules
from pos_agent.workflow.rows import Next, Row
from pos_agent.workflow.states import State, Trigger
from pos_agent.workflow.table import TABLE, rows_of
from tests.fakes.samples import PHRASES, REASONS, WECHAT_ORDER, make_request, make_sale, make_update, order_reference

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
POLICY = PolicyConfig(retype_from_minor=50_000)
RULES = Rules(policy=POLICY, reasons=REASONS, phrases=PHRASES, terminal_id="t-1")
ORDER = order_reference()
HASHED = OriginalReference(ReferenceKind.ORDER_NO_HASH, "ab" * 32)
OWN_SLIP = "9834567800000000000199"
#: The answer to a question about the whole of the largest sale.
APPROVAL = ApprovalAnswer(
    terminal_id=RULES.terminal_id,
    boot_id="boot1",
    refund_request_id=OWN_SLIP,
    nonce="0123456789abcdef",
    amount_minor=60_000,
    currency="CNY",
    sale="s1",
    person_id="wang",
)
#: Digits that are worth trying where something is typed; on the other screens each is a choice of its own.
_TYPED = {
    State.LOGIN: "01",
    State.SUPERVISOR: "012",
    State.SCAN: "1",
    State.FIND: "1",
    State.ANSWER_DIGITS: "1",
    State.PAID: "3",
    State.AMOUNT: "03",
    State.CONFIRM: "06",
    State.OTHER_REASON: "0169",
}
#: How much of a field's length can matter; elsewhere whether it is empty.
_LENGTHS = {
    State.FIND: 6,
    State.ANSWER_DIGITS: 18,
    State.LOGIN: 2,
    State.SUPERVISOR: 2,
    State.CONFIRM: 3,
    State.OTHER_REASON: 1,
}
#: Rows that no input of the shipped data reaches; each is a defence, and named here so that a new one is noticed.
UNREACHED = {
    ("ANSWER", "digit", ""),  # every digit is a phrase or 0
    ("FUNCTION", "digit", ""),  # every digit has a function
    ("REASON", "digit", ""),  # every digit is a reason or 0
    ("REASON", "digit", "is_reason_with_phrase"),  # R99 stands on the second page
    ("CONFIRM", "enter", "is_denied"),  # an amount that is denied does not come to CONFIRM
    ("ANSWER_DIGITS", "enter", "is_typed_pay_code"),  # eighteen digits; tests/unit/workflow walks there
    ("SUPERVISOR", "next", "is_training"),  # tests/unit/workflow walks there
}
#: The search for any other row ends when so many places in a row led to no new one.
_BARREN = 900
#: States whose guards ask about a request.
_OF_RECORD = frozenset({State.MENU, State.FIND, State.STATUS, State.LAST, State.WITHDRAW, State.ANSWER, State.RESULT})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger of a way.

    Attributes:
        data: Fields of the `Input` besides its facts.
        facts: Facts that must hold, by name.
        after: Where it leads.
    """

    trigger: Trigger
    data: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    after: State


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a row happen: from `start` through the steps; the last one is the row's."""

    row: Row
    start: State
    steps: tuple[Step, ...]


def found(**fields: Any) -> LookUpResult:
    """Return the answer of a back office that knows the sale."""
    return LookUpResult(lookup_id="x", outcome=LookUpOutcome.FOUND, sale=make_sale(**fields))


def _draft(state: State) -> dict[str, Any]:
    entry = RefundEntry(reference=ORDER, entry="scanned", tail="907890", sale=make_sale(), paid_minor=12800)  # type: ignore[arg-type]
    entry.amount_minor, entry.reason_code = 1000, "R07"
    return {"pin": _right("01", "cashier"), "draft": entry, "draft_state": state}


def _right(number: str, role: str) -> PinChecked:
    return PinChecked(1, number, True, role, f"p{number}")


def _codes() -> list[dict[str, Any]]:
    codes = [Code(kind, 31, WECHAT_ORDER if kind is not CodeKind.OWN_SLIP else OWN_SLIP) for kind in CodeKind]
    return [{"code": code, "hashed": HASHED if code.kind is CodeKind.AMBIGUOUS else None} for code in codes]


_DATA: dict[Trigger, list[dict[str, Any]]] = {
    Trigger.DOT: [{"key": "."}],
    Trigger.NEXT: [{"fresh": Fresh(refund_request_id=OWN_SLIP, nonce="0123456789abcdef", boot_id="boot1")}],
    Trigger.SCAN: [{}, {"key": "01"}, *_codes(), {"failure": "forged"}, {"approval": APPROVAL}],
    Trigger.CODE: [{**one, "key": "typed"} for one in _codes()],
    Trigger.LOOKUP_DONE: [
        {"answer": found()},
        {"answer": found(paid_minor=60000, refundable_minor=60000)},
        {"answer": found(paid_minor=30000, refundable_minor=30000, lines=())},
        {"answer": LookUpResult(lookup_id="x", outcome=LookUpOutcome.REFUSED, code="frozen")},
        {"answer": LookUpResult(lookup_id="x", outcome=LookUpOutcome.NOT_FOUND)},
        {"answer": LookUpResult(lookup_id="x", outcome=LookUpOutcome.NO_ANSWER)},
    ],
    Trigger.PIN_CHECKED: [
        {"pin": PinChecked(1, "01", False, tries_left=4)},
        {"pin": _right("01", "cashier")},
        {"pin": _right("02", "supervisor")},
        *[_draft(state) for state in (State.SALE, State.AMOUNT, State.REASON, State.CONFIRM)],
    ],
    Trigger.COMMITTED: [{"request_id": "x"}],
    Trigger.COMMIT_FAILED: [{"failure": "E-DISK"}],
}


def _facts(trigger: Trigger, state: State, worlds: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the facts that a guard of this cell may ask for."""
    if state is State.NO_OPERATORS or (state is State.LOGIN and trigger is Trigger.UPDATE):
        yield {"has_operators": False}
    yield from worlds if state in _OF_RECORD or trigger is Trigger.F3 or state is State.FUNCTION else [{}]
    if trigger in (Trigger.SCAN, Trigger.CODE, Trigger.DIGIT):
        yield {"storage_code": "E-DISK1"}
    if state is State.SERVICE:
        yield {"is_printer_swapped": True}


@cache
def _rows_of(state: State, trigger: Trigger) -> tuple[Row, ...]:
    return rows_of(state, trigger)


def kept_request() -> RefundRequest:
    return make_request(
        order_no=WECHAT_ORDER,
        refund_request_id=OWN_SLIP,
        terminal_id=RULES.terminal_id,
        created_at=NOW,
        refund_type=RefundType.PARTIAL,
        amount_minor=100,
        reason_code="R07",
        seq=1,
    )


def world_with(state: RefundState) -> dict[str, Any]:
    """Return the facts of a till whose one request is in this state, and news."""
    record = RefundRecord(
        request=kept_request(),
        update=make_update(OWN_SLIP, state, money_moved=MoneyMoved.NO, at=NOW, question="?"),
        was_send_attempted=False,
        is_stored=True,
        is_held=False,
    )
    return {"record": record, "newest": record, "notices": (OWN_SLIP,)}


def starts() -> list[tuple[State, Context]]:
    """Return where a till can begin."""
    return [(state, Context()) for state in (State.LOGIN, State.SAFE)]


def name_of(row: Row) -> tuple[str, str, str]:
    """Return state, trigger and guard."""
    return row.state.value, row.trigger.value, row.guard.__name__ if row.guard is not None else ""


def ways_of_the_table(worlds: list[dict[str, Any]], *, is_one_a_state: bool = False) -> dict[int, Way]:
    """Return a shortest way to each row that does something, by its place in the table.

    Args:
        worlds: Facts by name: what the till's journal holds; each is tried wherever a record could matter.
        is_one_a_state: Stop when a way through each state is known.
    """
    ways: dict[int, Way] = {}
    places = {id(row): place for place, row in enumerate(TABLE)}
    nodes: deque[tuple[State, Context, State, tuple[Step, ...]]] = deque(
        (state, context, state, ()) for state, context in starts()
    )
    seen = {_signature(state, context) for state, context in starts()}
    rows = [row for row in TABLE if not row.ignored and name_of(row) not in UNREACHED]
    wanted = {row.state for row in rows} if is_one_a_state else {id(row) for row in rows}
    barren = 0
    while nodes and wanted and barren < _BARREN:
        barren += 1
        state, context, start, path = nodes.popleft()
        for step, row, after in _moves(state, context, worlds):
            way = (*path, step)
            if places[id(row)] not in ways:
                barren = 0
                ways[places[id(row)]] = Way(row=row, start=start, steps=way)
                wanted.discard(row.state if is_one_a_state else id(row))
            if len(after.typed) > _LENGTHS.get(step.after, 2):
                continue
            mark = _signature(step.after, after)
            if mark not in seen:
                seen.add(mark)
                nodes.append((step.after, after, start, way))
    return ways


def _moves(state: State, context: Context, worlds: list[dict[str, Any]]) -> Iterator[tuple[Step, Row, Context]]:
    for trigger in Trigger:
        if any(row.ignored for row in _rows_of(state, trigger)):
            continue
        digits = [{"key": digit} for digit in _TYPED.get(state, "0123456789")]
        for data in digits if trigger is Trigger.DIGIT else _DATA.get(trigger, [{}]):
            for facts in _facts(trigger, state, worlds):
                moved = _fire(state, context, trigger, data, facts)
                if moved is not None:
                    row, after, state_after = moved
                    yield Step(trigger=trigger, data=data, facts=facts, after=state_after), row, after


def _fire(
    state: State, context: Context, trigger: Trigger, data: dict[str, Any], facts: dict[str, Any]
) -> tuple[Row, Context, State] | None:
    after = copy(context)
    after.entry, after.offered = copy(context.entry), copy(context.offered)
    given = Input(facts=Facts(now=NOW, **facts), **data)
    if "draft" in data:
        given.draft = copy(data["draft"])
    for row in _rows_of(state, trigger):
        if row.guard is None or row.guard(after, given, RULES):
            below = after.stack[-1] if row.next is Next.BACK else state
            if row.action is not None:
                row.action(after, given, RULES)
            return row, after, row.next if isinstance(row.next, State) else below
    return None


def _signature(state: State, context: Context) -> tuple[Any, ...]:
    """Return what of a context can matter to a guard: coarse, but each row is found."""
    entry, known = context.entry, None
    is_over = bool(context.stack)
    if entry is not None and not is_over:
        reason = RULES.reason(entry.reason_code)
        known = (
            entry.sale is not None and entry.sale.paid_minor,
            entry.is_unverified,
            entry.is_amount_typed,
            reason.demand if reason is not None else None,
            entry.reference.kind is ReferenceKind.ORDER_NO_HASH,
        )
    is_short = state in (State.LOGIN, State.SUPERVISOR, State.OTHER_REASON, State.CONFIRM)
    return (
        state,
        context.stack[-2:],
        (context.operator_no, context.auth_no, bool(context.pin), context.is_checking),
        context.is_training and state in (State.MENU, State.FUNCTION, State.SUPERVISOR),
        context.question is not None and context.question.amount_minor,
        min(len(context.typed), _LENGTHS.get(state, 1)),
        context.typed if is_short else "",
        typed_amount(context),
        context.offered_state if context.offered is not None else None,
        known,
    )
