"""What pages and scripts are told about requests: read in one snapshot, the same for both."""

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.ingest.context import Context
from backoffice.ledger import Sums, sums
from backoffice.refunds import is_restoring, request_of, stated_money
from backoffice.review import TILL_KNOWS_END, Actor, approvers, shown_now
from backoffice.rules import has_rank, levels_needed
from backoffice.states import FINAL, State
from backoffice.store.schema import (
    Attempt,
    AuditLine,
    Decision,
    ManualCase,
    OutboxRow,
    Person,
    Refund,
    Sale,
)
from pos_agent.domain.refund import Hold, RefundRequest

PAGE = 50
#: Filters of the queue: what waits for a person comes first.
PENDING = (State.HELD, State.REVIEWING, State.NEED_INFO)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A request in a list."""

    refund_request_id: str
    state: str
    hold: str | None
    money_moved: str
    version: int
    amount_minor: int
    currency: str
    terminal_id: str
    operator_no: str
    maker: str
    channel: str
    reason_code: str
    created_at: str
    received_at: str
    sale_id: str | None
    order_tail: str
    flags: list[str]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision needs, from one snapshot.

    Attributes:
        shown: To be sent back with a decision (D9).
        allowed: Decisions that this person may take now.
    """

    summary: Summary
    request: RefundRequest
    shown: dict[str, int]
    sums: Sums | None
    sale: dict[str, object] | None
    earlier: list[Summary]
    approvals_given: int
    approvals_needed: int
    allowed: list[str]
    is_own: bool
    is_final: bool
    reason: str | None
    question: str | None
    answers: list[str]
    arrival: str | None
    refund_no: str | None
    attempts: list[dict[str, object]]
    decisions: list[dict[str, object]]
    trail: list[dict[str, object]]
    is_trail_whole: bool
    is_delivered: bool
    case_id: int | None


def summary(session: Session, refund: Refund) -> Summary:
    """Return a request as lists show it."""
    maker = session.get(Person, refund.maker_person_id)
    hold = Hold(refund.hold) if refund.hold else None
    moved = stated_money(State(refund.state), hold, refund.closed_as, is_restoring=is_restoring(session))
    return Summary(
        refund_request_id=refund.refund_request_id,
        state=refund.state,
        hold=refund.hold,
        money_moved=moved.value,
        version=refund.version,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        terminal_id=refund.terminal_id,
        operator_no=refund.operator_no,
        maker=maker.name if maker else refund.maker_person_id,
        channel=str(refund.body.get("channel", "unknown")),
        reason_code=str(refund.body.get("reason_code", "")),
        created_at=refund.created_at.isoformat(),
        received_at=refund.received_at.isoformat(),
        sale_id=refund.sale_id,
        order_tail=str(refund.body.get("reference_tail", "")),
        flags=list(refund.flags),
    )


def list_requests(session: Session, states: tuple[State, ...] = (), *, limit: int = PAGE) -> list[Summary]:
    """Return requests, those that wait longest first among the pending, newest first otherwise."""
    statement = select(Refund)
    if states:
        statement = statement.where(Refund.state.in_(states))
    is_pending = bool(states) and set(states) <= set(PENDING)
    order = Refund.received_at.asc() if is_pending else Refund.received_at.desc()
    return [summary(session, refund) for refund in session.scalars(statement.order_by(order).limit(limit))]


def counts(session: Session) -> dict[str, int]:
    """Return how many requests stand in each state."""
    rows = session.execute(select(Refund.state, func.count()).group_by(Refund.state))
    return {state: int(count) for state, count in rows}


def detail(session: Session, context: Context, actor: Actor, request_id: str) -> Detail | None:
    """Return everything about one request; None if there is none."""
    refund = session.get(Refund, request_id)
    if refund is None:
        return None
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    given = approvers(session, request_id)
    levels = levels_needed(refund.amount_minor, context.config.review)
    trail = session.scalars(
        select(AuditLine).where(AuditLine.refund_request_id == request_id).order_by(AuditLine.number)
    ).all()
    return Detail(
        summary=summary(session, refund),
        request=request_of(refund),
        shown=msgspec.to_builtins(shown_now(session, refund)),
        sums=sums(session, sale) if sale else None,
        sale=sale_of(context, sale) if sale else None,
        earlier=_earlier(session, refund),
        approvals_given=len(given),
        approvals_needed=len(levels),
        allowed=_allowed(refund, actor, given, levels, context),
        is_own=refund.maker_person_id == actor.person_id,
        is_final=State(refund.state) in FINAL,
        reason=refund.reason_text,
        question=refund.question,
        answers=list(refund.body.get("answers", [])),
        arrival=refund.arrival,
        refund_no=refund.refund_no,
        attempts=_attempts(session, request_id),
        decisions=_decisions(session, request_id),
        trail=[_line(line) for line in trail],
        is_trail_whole=audit.is_chain_whole(trail),
        is_delivered=session.get(OutboxRow, request_id) is None,
        case_id=_case(session, request_id),
    )


def sale_of(context: Context, sale: Sale) -> dict[str, object]:
    """Return a sale for pages."""
    profile = context.profile(sale.acquirer_id)
    return {
        "sale_id": sale.sale_id,
        "order_no": sale.order_no,
        "channel_trade_no": sale.channel_trade_no,
        "channel": sale.channel,
        "acquirer": profile.name if profile else sale.acquirer_id,
        "account_mask": sale.account_mask,
        "store": sale.store,
        "terminal_id": sale.terminal_id,
        "paid_at": sale.paid_at.isoformat(),
        "paid_minor": sale.paid_minor,
        "currency": sale.currency,
        "is_frozen": sale.is_frozen,
        "is_training": sale.is_training,
        "label": sale.label,
        "lines": list(sale.lines),
    }


def find_sales(session: Session, context: Context, words: str, *, limit: int = PAGE) -> list[dict[str, object]]:
    """Search sales by number or its last digits; newest first."""
    statement = select(Sale)
    if words:
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        statement = statement.where(
            or_(Sale.order_no.like(pattern, escape="\\"), Sale.channel_trade_no.like(pattern, escape="\\"))
        )
    found = session.scalars(statement.order_by(Sale.paid_at.desc()).limit(limit)).all()
    return [{**sale_of(context, sale), **msgspec.to_builtins(sums(session, sale))} for sale in found]


def _earlier(session: Session, refund: Refund) -> list[Summary]:
    if refund.sale_id is None:
        return []
    others = session.scalars(
        select(Refund)
        .where(Refund.sale_id == refund.sale_id, Refund.refund_request_id != refund.refund_request_id)
        .order_by(Refund.received_at.desc())
        .limit(PAGE)
    )
    return [summary(session, other) for other in others]


def _allowed(refund: Refund, actor: Actor, given: list[str], levels: tuple[str, ...], context: Context) -> list[str]:
    """Return the buttons; `backoffice.review` decides again."""
    state = State(refund.state)
    if state in FINAL or not has_rank(actor.role, "approver"):
        return []
    if state is State.EXECUTING and refund.hold is not None:
        return ["retry"]
    is_own = refund.maker_person_id == actor.person_id
    if is_own and context.config.review.dual_control != "off":
        return []
    if state is State.HELD:
        if is_own:
            return []
        return ["reject"] if TILL_KNOWS_END in refund.flags else ["release", "reject"]
    if state is State.NEED_INFO:
        return ["reject"]
    if state is not State.REVIEWING:
        return []
    level = levels[min(len(given), len(levels) - 1)]
    may_approve = has_rank(actor.role, level) and actor.person_id not in given
    return [*(["approve"] if may_approve else []), "reject", "need_info"]


def _attempts(session: Session, request_id: str) -> list[dict[str, object]]:
    rows = session.scalars(select(Attempt).where(Attempt.refund_request_id == request_id).order_by(Attempt.number))
    return [
        {"number": row.number, "started_at": row.started_at.isoformat(), "outcome": row.outcome, "detail": row.detail}
        for row in rows
    ]


def _decisions(session: Session, request_id: str) -> list[dict[str, object]]:
    rows = session.execute(
        select(Decision, Person.name)
        .join(Person, Person.person_id == Decision.person_id)
        .where(Decision.refund_request_id == request_id)
        .order_by(Decision.decision_id)
    )
    return [
        {"kind": row.kind, "person": name, "reason": row.reason, "at": row.at.isoformat(), "version": row.version}
        for row, name in rows
    ]


def _line(line: AuditLine) -> dict[str, object]:
    return {
        "number": line.number,
        "at": line.at.isoformat(),
        "actor": line.actor,
        "before": line.before,
        "after": line.after,
        "detail": line.detail,
    }


def _case(session: Session, request_id: str) -> int | None:
    return session.scalars(
        select(ManualCase.case_id).where(ManualCase.refund_request_id == request_id, ManualCase.closed_at.is_(None))
    ).first()
