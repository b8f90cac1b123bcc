"""What every coupon is: kind, standing, code, chain; and the one that settles a refund (trust.md 10)."""

import secrets
from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.coupon_codes import RANDOM_DIGITS, digest, make_code
from backoffice.ingest.context import Context
from backoffice.store.coupon_tables import Coupon
from backoffice.store.schema import Refund, Sale


class Kind(StrEnum):
    """What a coupon is for."""

    GOODWILL = "goodwill"
    SETTLEMENT = "settlement"


class Standing(StrEnum):
    """Where a coupon stands; one that ran out stays ISSUED."""

    PENDING = "pending"
    ISSUED = "issued"
    REDEEMED = "redeemed"
    REFUSED = "refused"


class Fresh(msgspec.Struct, frozen=True):
    """A code that nobody knows yet, and its hash: made outside of the transaction, the hash takes its time."""

    code: str
    code_hash: str


def fresh_code() -> Fresh:
    """Make a code."""
    code = make_code(secrets.randbelow(10**RANDOM_DIGITS))
    return Fresh(code, digest(code))


def new_coupon_id() -> str:
    """Return an id for a coupon: it names the coupon in lists and its audit chain, and gives no right."""
    return f"c-{secrets.token_hex(8)}"


def month_of(context: Context) -> str:
    """Return the month of the shop's calendar."""
    return f"{context.now().astimezone(ZoneInfo(context.config.server.time_zone)):%Y-%m}"


def give_code(session: Session, context: Context, coupon: Coupon, actor: str, fresh: Fresh) -> str:
    """Issue a coupon; returns its code."""
    before = coupon.state if coupon.approved_by and coupon.kind == Kind.GOODWILL else ""
    coupon.state, coupon.issued_at = Standing.ISSUED.value, context.now()
    coupon.expires_at = context.now() + timedelta(days=context.config.coupons.valid_days)
    coupon.code_hash, coupon.code_tail = fresh.code_hash, fresh.code[-4:]
    note(session, context, coupon, actor, before, f"{coupon.kind} {coupon.amount_minor}: {coupon.reason}")
    return fresh.code


def settle(session: Session, context: Context, refund: Refund, *, approver_id: str, actor: str) -> str:
    """Make the coupon that settles an approved refund, in the transaction of the approval; returns its code."""
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    fresh = fresh_code()
    coupon = Coupon(
        coupon_id=new_coupon_id(),
        kind=Kind.SETTLEMENT.value,
        state=Standing.ISSUED.value,
        merchant_id=refund.merchant_id,
        store=sale.store if sale else "",
        month=month_of(context),
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        refund_request_id=refund.refund_request_id,
        reason="settles the refund",
        made_by=refund.maker_person_id,
        approved_by=approver_id,
        created_at=context.now(),
    )
    session.add(coupon)
    session.flush()
    return give_code(session, context, coupon, actor, fresh)


def note(session: Session, context: Context, coupon: Coupon, actor: str, before: str, detail: str) -> None:
    """Write a line into the coupon's own chain (I6)."""
    audit.append(
        session,
        coupon.coupon_id,
        actor=actor,
        before=before,
        after=coupon.state,
        detail=detail,
        now=context.now,
    )
    session.flush()
