"""The executor's database steps. Each is one transaction; a crash between any two is survived (D11, trust.md 7)."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backoffice.execution.contract import RefundOrder
from backoffice.ingest.context import Context
from backoffice.ingest.facts import sale_facts
from backoffice.ledger import lock_sale
from backoffice.line_sums import refuse_request_lines
from backoffice.refunds import bind_sale, is_restoring, lock_refund, move, open_case, request_of
from backoffice.rules import refuse_amount, refuse_sale
from backoffice.states import AT_ACQUIRER, State
from backoffice.store.schema import Attempt, Refund, Sale
from pos_agent.domain.identifiers import refund_no
from pos_agent.i18n.backoffice import text

ACTOR = "executor"
#: Refunds looked at in one round.
BATCH = 16


class Candidate(msgspec.Struct, frozen=True):
    """An approved refund whose turn may have come; asked about at the acquirer before it is claimed (trust.md 10)."""

    refund_request_id: str
    acquirer_id: str
    sale_ref: str


class Query(msgspec.Struct, frozen=True):
    """A refund number to ask about."""

    refund_request_id: str
    acquirer_id: str
    refund_no: str


def candidates(session: Session, context: Context) -> list[Candidate]:
    """Return refunds to execute: approved ones, and held ones whose time has come; at most one for each sale."""
    now = context.now()
    busy = select(Refund.sale_id).where(Refund.state.in_(AT_ACQUIRER), Refund.sale_id.is_not(None))
    approved = (Refund.state == State.APPROVED.value) & Refund.sale_id.not_in(busy)
    held = (Refund.state == State.EXECUTING.value) & Refund.hold.is_not(None)
    due = or_(Refund.next_at.is_(None), Refund.next_at <= now)
    rows = session.execute(
        select(Refund.refund_request_id, Sale)
        .join(Sale, Sale.sale_id == Refund.sale_id)
        .where(or_(approved, held), due)
        .order_by(Refund.received_at)
        .limit(BATCH)
    )
    found: dict[str, Candidate] = {}
    for request_id, sale in rows:
        found.setdefault(sale.sale_id, Candidate(request_id, sale.acquirer_id, sale_reference(sale)))
    return list(found.values())


def sale_reference(sale: Sale) -> str:
    """Return the number by which the acquirer knows the sale."""
    return sale.channel_trade_no or sale.order_no


def claim(session: Session, context: Context, request_id: str, acquirer_total_minor: int | None) -> RefundOrder | None:
    """Commit EXECUTING and the attempt, under the lock, before anybody calls; None if it may not be executed now.

    Args:
        session: Writing.
        context: Configuration and time.
        request_id: A candidate.
        acquirer_total_minor: The acquirer's own total of refunds of this sale, None where it cannot be asked.
    """
    refund = lock_refund(session, request_id)
    if refund is None or is_restoring(session) or not _may_start(session, context, refund):
        return None
    sale = bind_sale(session, refund)
    if sale is None or sale.is_frozen or _is_too_early(session, context, refund, sale):
        return None
    if State(refund.state) is State.APPROVED:
        if _was_refunded_elsewhere(session, context, refund, sale, acquirer_total_minor):
            return None
        facts = sale_facts(session, sale, without=request_id)
        profile = context.profile(sale.acquirer_id)
        refusal = (
            refuse_sale(facts, profile, context.now())
            or refuse_amount(facts, refund.amount_minor, refund.currency)
            or refuse_request_lines(session, refund, request_of(refund))
        )
        if refusal is not None:
            reason = text(f"reason.{refusal.code}", context.locale, **refusal.parameters)
            move(session, refund, State.FAILED, actor=ACTOR, now=context.now, detail=refusal.code, reason=reason)
            return None
    return start_attempt(session, context, refund, sale)


def _may_start(session: Session, context: Context, refund: Refund) -> bool:
    state = State(refund.state)
    if state is State.EXECUTING:
        return refund.hold is not None and (refund.next_at is None or refund.next_at <= context.now())
    if state is not State.APPROVED:
        return False
    sibling = session.scalars(
        select(Refund.refund_request_id).where(Refund.sale_id == refund.sale_id, Refund.state.in_(AT_ACQUIRER))
    ).first()
    return sibling is None


def _is_too_early(session: Session, context: Context, refund: Refund, sale: Sale) -> bool:
    """Keep the profile's least time between two refunds of one sale (payments.md 2.1: one minute at WeChat)."""
    profile = context.profile(sale.acquirer_id)
    if profile is None or profile.min_gap_s <= 0:
        return False
    last = session.scalars(
        select(Attempt.started_at)
        .join(Refund, Refund.refund_request_id == Attempt.refund_request_id)
        .where(Refund.sale_id == sale.sale_id)
        .order_by(Attempt.started_at.desc())
        .limit(1)
    ).first()
    if last is None or last + timedelta(seconds=profile.min_gap_s) <= context.now():
        return False
    refund.next_at = last + timedelta(seconds=profile.min_gap_s)
    return True


def _was_refunded_elsewhere(
    session: Session, context: Context, refund: Refund, sale: Sale, acquirer_total_minor: int | None
) -> bool:
    """Hold, freeze and alarm when the acquirer has given back more than we know of (trust.md 10)."""
    if acquirer_total_minor is None:
        return False
    ours = sale_facts(session, sale, without=refund.refund_request_id).sums
    excess = acquirer_total_minor - ours.refunded_minor
    if excess <= 0:
        return False
    # The acquirer's total is the truth about money; ours follows it, and two persons find out why.
    sale.base_refunded_minor += excess
    refund.flags = sorted({*refund.flags, "refunded_elsewhere"})
    detail = f"acquirer_total_minor={acquirer_total_minor} ours_minor={ours.refunded_minor}"
    open_case(session, refund, kind="refunded_elsewhere", detail=detail, now=context.now, is_freezing=True)
    move(session, refund, State.HELD, actor=ACTOR, now=context.now, detail=detail)
    return True


def start_attempt(session: Session, context: Context, refund: Refund, sale: Sale) -> RefundOrder:
    """Write the attempt and EXECUTING; the caller's commit makes them durable before the call."""
    profile = context.profile(sale.acquirer_id)
    number = refund_no(profile.refund_no_prefix if profile else "", refund.refund_request_id)
    refund.refund_no, refund.attempt = number, refund.attempt + 1
    refund.polls, refund.next_at = 0, None
    session.add(
        Attempt(
            refund_request_id=refund.refund_request_id,
            number=refund.attempt,
            refund_no=number,
            started_at=context.now(),
        )
    )
    move(session, refund, State.EXECUTING, actor=ACTOR, now=context.now, detail=f"attempt={refund.attempt}")
    return RefundOrder(
        refund_request_id=refund.refund_request_id,
        acquirer_id=sale.acquirer_id,
        refund_no=number,
        attempt=refund.attempt,
        sale_ref=sale_reference(sale),
        amount_minor=refund.amount_minor,
        paid_minor=sale.paid_minor,
        currency=refund.currency,
    )


def recover(session: Session, context: Context) -> int:
    """Turn attempts that a crash left open into UNKNOWN, to be queried at once; returns how many (D11)."""
    open_attempts = session.scalars(
        select(Refund.refund_request_id)
        .join(
            Attempt,
            (Attempt.refund_request_id == Refund.refund_request_id) & (Attempt.number == Refund.attempt),
        )
        .where(Refund.state == State.EXECUTING.value, Attempt.outcome == "")
    ).all()
    for request_id in open_attempts:
        refund = lock_refund(session, request_id)
        if refund is None or State(refund.state) is not State.EXECUTING:
            continue
        reason = text("reason.unknown", context.locale)
        move(session, refund, State.UNKNOWN, actor=ACTOR, now=context.now, detail="found open", reason=reason)
        refund.next_at = context.now()
    return len(open_attempts)


def due_queries(session: Session, context: Context) -> list[Query]:
    """Return the refund numbers to ask about now."""
    rows: Sequence[tuple[Refund, str]] = [
        (refund, acquirer_id)
        for refund, acquirer_id in session.execute(
            select(Refund, Sale.acquirer_id)
            .join(Sale, Sale.sale_id == Refund.sale_id)
            .where(
                Refund.state.in_(AT_ACQUIRER),
                Refund.hold.is_(None),
                Refund.next_at.is_not(None),
                Refund.next_at <= context.now(),
            )
            .order_by(Refund.next_at)
            .limit(BATCH)
        )
    ]
    return [Query(refund.refund_request_id, acquirer, refund.refund_no or "") for refund, acquirer in rows]


def next_due_s(session: Session, context: Context) -> float | None:
    """Return seconds until the next thing to do; None when nothing is planned."""
    first = session.scalars(
        select(Refund.next_at)
        .where(Refund.next_at.is_not(None), Refund.state.in_([*AT_ACQUIRER, State.APPROVED.value]))
        .order_by(Refund.next_at)
        .limit(1)
    ).first()
    return None if first is None else max(0.0, (first - context.now()).total_seconds())


def sale_of(session: Session, refund: Refund) -> Sale | None:
    """Return the refund's sale, locked."""
    return lock_sale(session, refund.sale_id) if refund.sale_id else None
