"""What pages and scripts are told about requests: read in one snapshot, the same for both."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.fraud import Suspicion
from backoffice.history import suspicions
from backoffice.ingest.context import Context
from backoffice.ledger import Sums, sums
from backoffice.refunds import request_of
from backoffice.review import TILL_KNOWS_END, Actor, approvers, is_maker, shown_now
from backoffice.rules import has_rank, levels_needed
from backoffice.states import AT_ACQUIRER, FINAL, State
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
from backoffice.web import lists
from pos_agent.domain.refund import RefundRequest


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision needs, from one snapshot.

    Attributes:
        shown: To be sent back with a decision (D9).
        allowed: Decisions that this person may take now.
        suspicions: What speaks against it, each with its reason.
        unknown_since, asked_at, ask_next_at: Of a result that nobody knows: since when, when the acquirer was last
            asked, when it will be asked again.
    """

    summary: lists.Summary
    request: RefundRequest
    shown: dict[str, int]
    sums: Sums | None
    sale: dict[str, object] | None
    earlier: list[lists.Summary]
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
    suspicions: list[Suspicion]
    unknown_since: str | None
    asked_at: str | None
    ask_next_at: str | None


def detail(session: Session, context: Context, actor: Actor, request_id: str) -> Detail | None:
    """Return everything about one request; None if there is none."""
    refund = session.get(Refund, request_id)
    if refund is None:
        return None
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    given = approvers(session, request_id)
    found = suspicions(session, context, refund)
    is_raised = any(each.raises_level for each in found)
    levels = levels_needed(refund.amount_minor, context.config.review, is_raised=is_raised)
    is_own = is_maker(session, refund, actor.person_id)
    is_unknown = State(refund.state) in (*AT_ACQUIRER, State.MANUAL, State.ABNORMAL)
    trail = session.scalars(
        select(AuditLine).where(AuditLine.refund_request_id == request_id).order_by(AuditLine.number)
    ).all()
    return Detail(
        summary=lists.summary(session, context, refund),
        request=request_of(refund),
        shown=msgspec.to_builtins(shown_now(session, refund)),
        sums=sums(session, sale) if sale else None,
        sale=lists.sale_of(context, sale) if sale else None,
        earlier=_earlier(session, context, refund),
        approvals_given=len(given),
        approvals_needed=len(levels),
        allowed=_allowed(refund, actor, given, levels, context, is_own=is_own),
        is_own=is_own,
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
        suspicions=list(found),
        unknown_since=_iso(refund.unknown_since),
        asked_at=_iso(refund.asked_at) if is_unknown else None,
        ask_next_at=_iso(refund.next_at) if is_unknown else None,
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _earlier(session: Session, context: Context, refund: Refund) -> list[lists.Summary]:
    if refund.sale_id is None:
        return []
    others = session.scalars(
        select(Refund)
        .where(Refund.sale_id == refund.sale_id, Refund.refund_request_id != refund.refund_request_id)
        .order_by(Refund.received_at.desc())
        .limit(lists.PAGE)
    )
    return [lists.summary(session, context, other) for other in others]


def _allowed(
    refund: Refund, actor: Actor, given: list[str], levels: tuple[str, ...], context: Context, *, is_own: bool
) -> list[str]:
    """Return the buttons; `backoffice.review` decides again."""
    state = State(refund.state)
    if state in FINAL or not has_rank(actor.role, "approver"):
        return []
    if state is State.EXECUTING and refund.hold is not None:
        return ["retry"]
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
