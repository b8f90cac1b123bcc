"""Tables of coupons, and the rows that lock their budgets (trust.md 10)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backoffice.store.schema import Base


class CouponBudget(Base):
    """The row that issuing locks: sums of coupons are computed from `Coupon`, never kept (D9)."""

    __tablename__ = "coupon_budgets"
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.merchant_id"), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)


class Coupon(Base):
    """A coupon (`backoffice.coupons`); of its code only a hash and the last digits are kept.

    `month` is the month of the shop's calendar whose budget it counts against; `redeemed_ref` the receipt of the cash
    desk that took it.
    """

    __tablename__ = "coupons"
    __table_args__ = (
        Index("ix_coupons_budget", "merchant_id", "month", "kind"),
        Index("ix_coupons_issued", "issued_at"),
        Index("ix_coupons_redeemed", "redeemed_at"),
    )
    coupon_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(12))
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_tail: Mapped[str] = mapped_column(String(4), default="")
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.merchant_id"))
    store: Mapped[str] = mapped_column(String(80), default="")
    month: Mapped[str] = mapped_column(String(7))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    refund_request_id: Mapped[str] = mapped_column(String(22), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    made_by: Mapped[str] = mapped_column(String(64))
    approved_by: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    redeemed_at: Mapped[datetime | None]
    redeemed_by: Mapped[str] = mapped_column(String(80), default="")
    redeemed_ref: Mapped[str] = mapped_column(String(64), default="")
