"""What lists and sums say of coupons: apart from refunds, whose money they are not."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from backoffice.coupon_book import Kind, Standing
from backoffice.coupons import budget_left
from backoffice.ingest.context import Context
from backoffice.store.coupon_tables import Coupon
from pos_agent.domain.money import format_amount
from pos_agent.i18n.backoffice import text

PAGE = 100


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One coupon in a list; never its code.

    Attributes:
        is_expired: Issued, and past its day.
    """

    coupon_id: str
    kind: str
    state: str
    code_tail: str
    merchant_id: str
    store: str
    amount_minor: int
    currency: str
    refund_request_id: str
    reason: str
    made_by: str
    approved_by: str | None
    created_at: datetime
    expires_at: datetime | None
    redeemed_at: datetime | None
    redeemed_by: str
    redeemed_ref: str
    is_expired: bool


class KindSums(msgspec.Struct, frozen=True):
    """How many coupons of a kind, and for how much, minor units."""

    issued: int = 0
    issued_minor: int = 0
    redeemed: int = 0
    redeemed_minor: int = 0


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Coupons of some days, by kind: issued in them, redeemed in them."""

    goodwill: KindSums
    settlement: KindSums


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget as configured, and what is left of it this month."""

    name: str
    month: str
    budget_minor: int
    left_minor: int


def lines(session: Session, context: Context, *, state: str = "", limit: int = PAGE) -> list[Line]:
    """Return coupons, what waits for a person first, then the newest."""
    statement = select(Coupon).order_by(
        (Coupon.state == Standing.PENDING).desc(), Coupon.created_at.desc(), Coupon.coupon_id
    )
    if state:
        statement = statement.where(Coupon.state == state)
    now = context.now()
    names = [field for field in Line.__struct_fields__ if field != "is_expired"]
    return [
        Line(
            **{name: getattr(row, name) for name in names},
            is_expired=row.state == Standing.ISSUED and row.expires_at is not None and row.expires_at <= now,
        )
        for row in session.scalars(statement.limit(limit))
    ]


def sums(session: Session, start: datetime | None = None, end: datetime | None = None) -> Sums:
    """Add up coupons from `start` up to, not including, `end`; without both, all there are."""
    return Sums(
        goodwill=_of_kind(session, Kind.GOODWILL, start, end), settlement=_of_kind(session, Kind.SETTLEMENT, start, end)
    )


def _of_kind(session: Session, kind: Kind, start: datetime | None, end: datetime | None) -> KindSums:
    issued: list[ColumnElement[bool]] = [Coupon.issued_at.is_not(None)]
    redeemed: list[ColumnElement[bool]] = [Coupon.redeemed_at.is_not(None)]
    if start is not None:
        issued.append(Coupon.issued_at >= start)
        redeemed.append(Coupon.redeemed_at >= start)
    if end is not None:
        issued.append(Coupon.issued_at < end)
        redeemed.append(Coupon.redeemed_at < end)
    return KindSums(*_count(session, kind, issued), *_count(session, kind, redeemed))


def _count(session: Session, kind: Kind, conditions: list[ColumnElement[bool]]) -> tuple[int, int]:
    statement = select(func.count(), func.coalesce(func.sum(Coupon.amount_minor), 0))
    count, amount = session.execute(statement.where(Coupon.kind == kind, *conditions)).one()
    return int(count), int(amount)


def budgets(session: Session, context: Context, month: str) -> list[Budget]:
    """Return every configured budget with what is left of it."""
    found = []
    for name, budget_minor in sorted(context.config.coupons.budgets.items()):
        merchant_id, _, store = name.partition("/")
        left = budget_left(session, context, merchant_id, store, month)
        found.append(Budget(name=name, month=month, budget_minor=budget_minor, left_minor=left))
    return found


def describe(name: str, sums: KindSums) -> str:
    """Return the sums of a kind in words."""
    return text(
        "coupon.sums",
        "en",
        kind=name,
        issued=sums.issued,
        issued_amount=format_amount(sums.issued_minor),
        redeemed=sums.redeemed,
        redeemed_amount=format_amount(sums.redeemed_minor),
    )
