"""MANUAL cases: closed by two persons who neither made nor approved the refund (D10, I3, I4)."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.ingest.context import Context
from backoffice.ledger import lock_sale
from backoffice.refunds import announce, is_restoring, lock_refund, move
from backoffice.review import Actor, DecisionError, approvers, is_maker
from backoffice.rules import has_rank
from backoffice.states import FINAL, State
from backoffice.store.schema import EventRow, ManualCase, Refund, Sale
from pos_agent.domain.refund import MoneyMoved
from pos_agent.i18n.backoffice import text

#: Kinds that say the opposite of a final state; the state stays, the sale's sums follow what two persons found (I5).
CONTRADICTIONS = frozenset({"contradiction", "moved_not_succeeded", "succeeded_not_moved"})


def propose(
    session: Session, context: Context, actor: Actor, case_id: int, *, moved: MoneyMoved, reason: str
) -> ManualCase:
    """Say what was found out; another person confirms.

    Raises:
        DecisionError: Not this person, no evidence named, or already proposed.
    """
    case, refund = _open_case(session, actor, case_id)
    if case.proposal is not None:
        raise DecisionError("not_now")
    if moved is MoneyMoved.UNKNOWN or not reason.strip():
        raise DecisionError("reason_required", 422)
    case.proposal, case.proposal_reason, case.proposed_by = moved.value, reason.strip()[:200], actor.person_id
    _note(session, context, refund, actor, f"case {case_id} proposes moved={moved.value}")
    return case


def refuse(session: Session, context: Context, actor: Actor, case_id: int) -> ManualCase:
    """Disagree with a proposal: it is taken back and the case stays open."""
    case, refund = _open_case(session, actor, case_id)
    if case.proposal is None:
        raise DecisionError("not_now")
    case.proposal = case.proposal_reason = case.proposed_by = None
    _note(session, context, refund, actor, f"case {case_id} proposal refused")
    return case


def confirm(session: Session, context: Context, actor: Actor, case_id: int, *, proposal: str) -> ManualCase:
    """Close a case as the proposal that was shown says.

    Raises:
        DecisionError: Proposer and closer are one person, or the proposal is not the one shown.
    """
    case, refund = _open_case(session, actor, case_id)
    if case.proposal is None or case.proposal != proposal:
        raise DecisionError("version")
    if case.proposed_by == actor.person_id:
        raise DecisionError("same_approver", 403)
    case.closed_by, case.closed_at = actor.person_id, context.now()
    session.flush()
    moved = MoneyMoved(case.proposal)
    if refund is not None:
        _settle(session, context, refund, actor, moved, case)
    else:
        _settle_foreign(session, context, actor, moved, case)
    _unfreeze(session, case)
    return case


def _open_case(session: Session, actor: Actor, case_id: int) -> tuple[ManualCase, Refund | None]:
    """Return an open case and its refund; a movement of money that is not ours has none."""
    case = session.get(ManualCase, case_id)
    if case is None:
        raise DecisionError("not_found", 404)
    refund = lock_refund(session, case.refund_request_id) if case.refund_request_id else None
    if case.sale_id:
        lock_sale(session, case.sale_id)
    session.refresh(case)
    if refund is None and case.refund_request_id:
        raise DecisionError("not_found", 404)
    if is_restoring(session):
        raise DecisionError("restoring")
    if case.closed_at is not None:
        raise DecisionError("not_now")
    if not has_rank(actor.role, "finance"):
        raise DecisionError("role", 403)
    if refund is not None and (
        is_maker(session, refund, actor.person_id) or actor.person_id in approvers(session, refund.refund_request_id)
    ):
        raise DecisionError("self_approval", 403)
    return case, refund


def _settle(
    session: Session, context: Context, refund: Refund, actor: Actor, moved: MoneyMoved, case: ManualCase
) -> None:
    """Close an ABNORMAL or MANUAL refund; a final state stays, only the sale's sums follow the truth (I5)."""
    detail = f"case {case.case_id} closed moved={moved.value}: {case.proposal_reason}"
    refund.closed_as = moved.value
    if State(refund.state) in (State.ABNORMAL, State.MANUAL):
        after = State.SUCCEEDED if moved is MoneyMoved.YES else State.CLOSED
        arrival = text("arrival.manual", context.locale) if moved is MoneyMoved.YES else None
        reason = case.proposal_reason if moved is MoneyMoved.NO else None
        move(session, refund, after, actor=actor.name, now=context.now, detail=detail, reason=reason, arrival=arrival)
        return
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    if sale is not None:
        sale.base_refunded_minor += _correction(case, refund, moved)
    _note(session, context, refund, actor, detail)


def _correction(case: ManualCase, refund: Refund, moved: MoneyMoved) -> int:
    """Return by how much the sale's sum of refunds differs from the truth that two persons found, minor units."""
    state = State(refund.state)
    if case.kind == "amount_differs" and moved is MoneyMoved.YES and state is State.SUCCEEDED:
        return (case.amount_minor or refund.amount_minor) - refund.amount_minor
    if case.kind not in CONTRADICTIONS or state not in FINAL:
        return 0
    if moved is MoneyMoved.YES and state is not State.SUCCEEDED:
        return refund.amount_minor
    if moved is MoneyMoved.NO and state is State.SUCCEEDED:
        return -refund.amount_minor
    return 0


def _settle_foreign(session: Session, context: Context, actor: Actor, moved: MoneyMoved, case: ManualCase) -> None:
    """Close a movement that is not ours: if it is real, it counts against its sale (trust.md 10)."""
    sale = session.get(Sale, case.sale_id) if case.sale_id else None
    was_counted = session.scalars(
        select(ManualCase.case_id).where(ManualCase.sale_id == case.sale_id, ManualCase.kind == "refunded_elsewhere")
    ).first()
    if sale is not None and moved is MoneyMoved.YES and was_counted is None:
        sale.base_refunded_minor += case.amount_minor or 0
    data = {"detail": f"case {case.case_id} closed moved={moved.value}: {case.proposal_reason}", "actor": actor.name}
    session.add(EventRow(event_id=f"closed-{case.case_id}", name="case_closed", data=data, at=context.now()))
    session.flush()


def _unfreeze(session: Session, case: ManualCase) -> None:
    """Free the sale's remainder when none of its cases is open any more."""
    if case.sale_id is None:
        return
    others = session.scalars(
        select(ManualCase.case_id).where(ManualCase.sale_id == case.sale_id, ManualCase.closed_at.is_(None))
    ).first()
    sale = session.get(Sale, case.sale_id)
    if others is None and sale is not None:
        sale.is_frozen = False
        session.flush()


def _note(session: Session, context: Context, refund: Refund | None, actor: Actor, detail: str) -> None:
    """Write an audit line that changes no state; pages that showed the request before are stale now."""
    if refund is None:
        return
    refund.version += 1
    audit.append(
        session,
        refund.refund_request_id,
        actor=actor.name,
        before=refund.state,
        after=refund.state,
        detail=detail,
        now=context.now,
    )
    announce(session, refund, context.now())
