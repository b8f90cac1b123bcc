"""What lists show: requests, page by page, and sales; read in one snapshot, the same for pages and scripts."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from backoffice.config import ReviewConfig
from backoffice.ingest.context import Context
from backoffice.ledger import sums
from backoffice.refunds import is_restoring, stated_money
from backoffice.states import State
from backoffice.store.schema import Person, Refund, Sale
from pos_agent.domain.refund import Hold

PAGE = 50
#: Filters of the queue: what waits for a person comes first.
PENDING = (State.HELD, State.REVIEWING, State.NEED_INFO)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A request in a list.

    Attributes:
        waiting_s: Since it came, while a person must do something; else 0.
        lateness: Empty, ``late`` or ``escalated``, by the shop's limits.
    """

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
    waiting_s: int
    lateness: str


def summary(session: Session, context: Context, refund: Refund) -> Summary:
    """Return a request as lists show it."""
    waiting_s = waits_for_s(refund, context.now())
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
        waiting_s=waiting_s,
        lateness=lateness(waiting_s, context.config.review),
    )


def waits_for_s(refund: Refund, now: datetime) -> int:
    """Return how long a request has waited for a person, seconds; 0 when none is needed."""
    if State(refund.state) not in PENDING:
        return 0
    return max(0, int((now - refund.received_at).total_seconds()))


def lateness(waiting_s: int, review: ReviewConfig) -> str:
    """Return ``escalated``, ``late`` or nothing."""
    if waiting_s >= review.escalate_after_min * 60:
        return "escalated"
    return "late" if waiting_s >= review.remind_after_min * 60 else ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list; `number` counts from 1."""

    rows: list[Summary]
    number: int
    pages: int
    total: int


def list_requests(
    session: Session,
    context: Context,
    states: tuple[State, ...] = (),
    *,
    limit: int = PAGE,
    number: int = 1,
    words: str = "",
    channel: str = "",
    terminal_id: str = "",
) -> Page:
    """Return requests, those that wait longest first among the pending, newest first otherwise.

    Args:
        session: Reading.
        context: Time and limits.
        states: Of these only; none = all.
        limit: Rows of a page.
        number: Which page; one behind the last is the last.
        words: Digits of the request number, its end, or the end of the order number.
        channel: Of this only; empty = all.
        terminal_id: Of this till only; empty = all.
    """
    conditions: list[ColumnElement[bool]] = [Refund.state.in_(states)] if states else []
    if words:
        pattern = "%" + escaped(words)
        conditions.append(
            or_(
                Refund.refund_request_id.ilike(pattern, escape="\\"),
                Refund.sale_id.in_(
                    select(Sale.sale_id).where(
                        or_(
                            Sale.order_no.ilike(pattern, escape="\\"), Sale.channel_trade_no.ilike(pattern, escape="\\")
                        )
                    )
                ),
            )
        )
    if terminal_id:
        conditions.append(Refund.terminal_id == terminal_id)
    if channel:
        conditions.append(Refund.body["channel"].as_string() == channel)
    total = session.scalar(select(func.count()).select_from(Refund).where(*conditions)) or 0
    pages = max(1, -(-total // limit))
    number = min(max(1, number), pages)
    is_pending = bool(states) and set(states) <= set(PENDING)
    order = Refund.received_at.asc() if is_pending else Refund.received_at.desc()
    statement = select(Refund).where(*conditions).order_by(order, Refund.refund_request_id)
    found = session.scalars(statement.limit(limit).offset((number - 1) * limit))
    rows = [summary(session, context, refund) for refund in found]
    return Page(rows=rows, number=number, pages=pages, total=total)


def escaped(words: str) -> str:
    """Return words for LIKE, in which nothing is a wildcard."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def counts(session: Session) -> dict[str, int]:
    """Return how many requests stand in each state."""
    rows = session.execute(select(Refund.state, func.count()).group_by(Refund.state))
    return {state: int(count) for state, count in rows}


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
        pattern = "%" + escaped(words)
        statement = statement.where(
            or_(Sale.order_no.ilike(pattern, escape="\\"), Sale.channel_trade_no.ilike(pattern, escape="\\"))
        )
    found = session.scalars(statement.order_by(Sale.paid_at.desc()).limit(limit)).all()
    return [{**sale_of(context, sale), **msgspec.to_builtins(sums(session, sale))} for sale in found]
