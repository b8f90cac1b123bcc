"""What is left of a sale, read under the lock of the sale's row (D9, I2)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backoffice.states import RESERVING, SETTLED
from backoffice.store.schema import Refund, Sale

#: By a `pos_agent.domain.refund.ReferenceKind` value: where a sale with that number is looked for, in this order.
NUMBER_COLUMNS: Final[Mapping[str, tuple[InstrumentedAttribute[str], ...]]] = {
    "order_no_hash": (Sale.order_no_hash,),
    "channel_trade_no": (Sale.channel_trade_no, Sale.order_no),
    "merchant_order_no": (Sale.order_no, Sale.channel_trade_no),
}


class Sums(msgspec.Struct, frozen=True):
    """The sums of one sale, minor units. A decision names those it was made on (D9).

    Attributes:
        left_minor: What may still be asked for; 0 on a frozen sale.
    """

    paid_minor: int
    refunded_minor: int
    reserved_minor: int
    left_minor: int


def lock_sale(session: Session, sale_id: str) -> Sale | None:
    """Lock and return a sale.

    On SQLite the writing transaction holds the whole file already; on PostgreSQL this takes the row lock, and what
    is summed afterwards is a newer snapshot than the lock.
    """
    return session.scalars(select(Sale).where(Sale.sale_id == sale_id).with_for_update()).one_or_none()


def sums(session: Session, sale: Sale, *, without: str | None = None) -> Sums:
    """Compute the sums of a sale from its refunds.

    Args:
        session: A writing one after `lock_sale`, or a reading one for pictures.
        sale: The sale.
        without: A request id whose own reservation is not counted.
    """
    statement = select(Refund.state, func.sum(Refund.amount_minor)).where(Refund.sale_id == sale.sale_id)
    if without is not None:
        statement = statement.where(Refund.refund_request_id != without)
    totals = ((state, int(total)) for state, total in session.execute(statement.group_by(Refund.state)))
    return sums_of(sale.paid_minor, sale.base_refunded_minor, totals, is_frozen=sale.is_frozen)


def sums_of(paid_minor: int, base_refunded_minor: int, amounts: Iterable[tuple[str, int]], *, is_frozen: bool) -> Sums:
    """Add up what was asked of one sale.

    Args:
        paid_minor: What the customer paid.
        base_refunded_minor: Given back outside this system, or known to be by the acquirer's word.
        amounts: State and amount of each refund, or of each state.
        is_frozen: Nothing is left of a frozen sale until people have looked (D10).
    """
    refunded, reserved = base_refunded_minor, 0
    for state, amount_minor in amounts:
        if state in SETTLED:
            refunded += amount_minor
        elif state in RESERVING:
            reserved += amount_minor
    left = 0 if is_frozen else max(0, paid_minor - refunded - reserved)
    return Sums(paid_minor, refunded, reserved, left)


def refunds_of_sale(session: Session, sale_id: str) -> Sequence[Refund]:
    """Return all requests on a sale, newest first."""
    return session.scalars(select(Refund).where(Refund.sale_id == sale_id).order_by(Refund.received_at.desc())).all()


def find_sale(session: Session, merchant_id: str, kind: str, value: str) -> Sale | None:
    """Find a sale of a merchant by what a till scanned or typed.

    Args:
        session: Any.
        merchant_id: A till finds its own merchant's sales only.
        kind: A `pos_agent.domain.refund.ReferenceKind` value.
        value: The number, or its keyed hash.
    """
    if not value:
        return None
    for column in NUMBER_COLUMNS.get(kind, ()):
        found = session.scalars(select(Sale).where(Sale.merchant_id == merchant_id, column == value).limit(2)).all()
        if len(found) == 1:
            return found[0]
    return None
