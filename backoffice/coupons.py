"""Coupons: made against a budget, redeemed once (trust.md 10, payments.md B6).

A *goodwill* coupon is a courtesy beside the refund: no money of a sale, but a budget of its merchant's month. A
*settlement* coupon is what a refund was settled by: it counts as given back on its sale (I2) and on no budget. Both
have a code that is random, told once and kept as a hash, and are redeemed alike.
"""

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backoffice.coupon_book import Fresh, Kind, Standing, give_code, month_of, note
from backoffice.coupon_codes import digest, read_code
from backoffice.ingest.context import Context
from backoffice.refunds import is_restoring
from backoffice.review import Actor, DecisionError, is_maker
from backoffice.rules import has_rank
from backoffice.store.coupon_tables import Coupon, CouponBudget
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import Merchant, Refund
from pos_agent.protocol.limits import MAX_INTEGER


class CouponError(DecisionError):
    """A coupon that is not made or not taken; `parameters` are for the sentence ``error.<code>``."""

    def __init__(self, code: str, status: int = 409, **parameters: object) -> None:
        super().__init__(code, status)
        self.parameters = parameters


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A goodwill coupon that somebody wants.

    Attributes:
        store: Of the merchant; empty = of no store in particular.
        refund_request_id: The refund that it is a courtesy beside; empty = of none.
    """

    merchant_id: str
    amount_minor: int
    reason: str
    store: str = ""
    refund_request_id: str = ""


def issue(
    session: Session, context: Context, actor: Actor, order: Order, *, fresh: Fresh, coupon_id: str
) -> tuple[Coupon, str]:
    """Make a goodwill coupon if its budget holds it, under the lock of the budget (D9).

    Args:
        session: Writing.
        context: Configuration and time.
        actor: The maker.
        order: What is wanted.
        fresh: Code, used only if nobody else must approve.
        coupon_id: Of `new_coupon_id`; given again, nothing is made twice.
    Returns:
        The coupon, and its code, to be told once; empty while another person must approve.
    Raises:
        DecisionError: Not this person, no reason, no such merchant or refund.
        CouponError: The budget is used up; says what is left.
    """
    _refuse_order(session, actor, order)
    month = month_of(context)
    lock_budget(session, order.merchant_id, month)
    if session.get(Coupon, coupon_id) is not None:
        raise DecisionError("gone", 409)
    left_minor = budget_left(session, context, order.merchant_id, order.store, month)
    if order.amount_minor > left_minor:
        raise CouponError("coupon_budget", 409, left=left_minor)
    coupon = Coupon(
        coupon_id=coupon_id,
        kind=Kind.GOODWILL.value,
        state=Standing.PENDING.value,
        merchant_id=order.merchant_id,
        store=order.store,
        month=month,
        amount_minor=order.amount_minor,
        currency="CNY",
        refund_request_id=order.refund_request_id,
        reason=order.reason.strip()[:200],
        made_by=actor.person_id,
        created_at=context.now(),
    )
    session.add(coupon)
    session.flush()
    if needs_approval(context, order.amount_minor):
        note(session, context, coupon, actor.name, "", f"asked {order.amount_minor}: {coupon.reason}")
        return coupon, ""
    return coupon, give_code(session, context, coupon, actor.name, fresh)


def _refuse_order(session: Session, actor: Actor, order: Order) -> None:
    if is_restoring(session):
        raise DecisionError("restoring")
    if not has_rank(actor.role, "approver"):
        raise DecisionError("role", 403)
    if not order.reason.strip():
        raise DecisionError("reason_required", 422)
    if not 0 < order.amount_minor <= MAX_INTEGER:
        raise DecisionError("coupon_amount", 422)
    if session.get(Merchant, order.merchant_id) is None:
        raise DecisionError("coupon_merchant", 404)
    if order.refund_request_id:
        refund = session.get(Refund, order.refund_request_id)
        if refund is None or refund.merchant_id != order.merchant_id:
            raise DecisionError("not_found", 404)
        if is_maker(session, refund, actor.person_id):
            raise DecisionError("self_approval", 403)


def needs_approval(context: Context, amount_minor: int) -> bool:
    """Return True if another person must approve (I3); a one-person shop is held to its cap instead."""
    review = context.config.review
    if review.dual_control == "off" and amount_minor <= review.self_approval_limit_minor:
        return False
    return amount_minor > context.config.coupons.alone_up_to_minor


def lock_budget(session: Session, merchant_id: str, month: str) -> None:
    """Let one transaction at a time count against a month: what is summed afterwards is newer than the lock."""
    locked_or_new(session, CouponBudget(merchant_id=merchant_id, month=month))


def budget_left(session: Session, context: Context, merchant_id: str, store: str, month: str) -> int:
    """Return what may still be given away in a month, minor units: of the merchant, and of the store if it has its own.

    Refused coupons count no more; those that ran out unused do, for they were given.
    """
    budgets = context.config.coupons.budgets
    spent = select(func.coalesce(func.sum(Coupon.amount_minor), 0)).where(
        Coupon.merchant_id == merchant_id,
        Coupon.month == month,
        Coupon.kind == Kind.GOODWILL,
        Coupon.state != Standing.REFUSED,
    )
    left = budgets.get(merchant_id, 0) - int(session.scalar(spent) or 0)
    own = budgets.get(f"{merchant_id}/{store}") if store else None
    if own is not None:
        left = min(left, own - int(session.scalar(spent.where(Coupon.store == store)) or 0))
    return max(0, left)


def approve(session: Session, context: Context, actor: Actor, coupon_id: str, *, fresh: Fresh) -> tuple[Coupon, str]:
    """Approve what another person asked for; returns the coupon and its code, to be told once.

    Raises:
        DecisionError: The maker, too low a role, or not waiting any more.
    """
    coupon = _pending(session, coupon_id)
    if actor.person_id == coupon.made_by:
        raise DecisionError("self_approval", 403)
    is_large = coupon.amount_minor >= context.config.review.management_from_minor
    if not has_rank(actor.role, "manager" if is_large else "finance"):
        raise DecisionError("role", 403)
    coupon.approved_by = actor.person_id
    return coupon, give_code(session, context, coupon, actor.name, fresh)


def refuse(session: Session, context: Context, actor: Actor, coupon_id: str) -> Coupon:
    """Refuse what was asked for, or take it back: its amount is free again."""
    coupon = _pending(session, coupon_id)
    if not has_rank(actor.role, "approver"):
        raise DecisionError("role", 403)
    coupon.state = Standing.REFUSED.value
    note(session, context, coupon, actor.name, Standing.PENDING.value, "refused")
    return coupon


def _pending(session: Session, coupon_id: str) -> Coupon:
    coupon = session.get(Coupon, coupon_id, with_for_update=True)
    if coupon is None:
        raise DecisionError("not_found", 404)
    if is_restoring(session):
        raise DecisionError("restoring")
    if coupon.state != Standing.PENDING:
        raise DecisionError("gone", 409)
    return coupon


def redeem(
    session: Session, context: Context, actor: Actor, code_hash: str, *, merchant_id: str, reference: str = ""
) -> tuple[Coupon, bool]:
    """Take a coupon: one statement, which one of all who race for it wins.

    Args:
        session: Writing.
        context: Time.
        actor: Who takes it.
        code_hash: `coupon_codes.digest` of what was scanned.
        merchant_id: Where it is taken.
        reference: The cash desk's receipt; the same again is the same redemption, not a second one.
    Returns:
        The coupon, and whether it was taken now and not by an earlier try with the same receipt.
    Raises:
        CouponError: Unknown, of another merchant, run out, or taken before; says when.
    """
    if is_restoring(session):
        raise DecisionError("restoring")
    if not has_rank(actor.role, "approver"):
        raise DecisionError("role", 403)
    at, reference = context.now(), reference.strip()[:64]
    won = session.execute(
        update(Coupon)
        .where(
            Coupon.code_hash == code_hash,
            Coupon.state == Standing.ISSUED,
            Coupon.merchant_id == merchant_id,
            Coupon.expires_at > at,
        )
        .values(state=Standing.REDEEMED.value, redeemed_at=at, redeemed_by=actor.name, redeemed_ref=reference)
        .returning(Coupon.coupon_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    coupon = session.scalars(
        select(Coupon).where(Coupon.code_hash == code_hash).execution_options(populate_existing=True)
    ).one_or_none()
    if coupon is None:
        raise CouponError("coupon_unknown", 404)
    if won is None:
        return _explain(coupon, merchant_id=merchant_id, reference=reference), False
    note(session, context, coupon, actor.name, Standing.ISSUED.value, f"redeemed {reference}".rstrip())
    return coupon, True


def _explain(coupon: Coupon, *, merchant_id: str, reference: str) -> Coupon:
    """Say why a coupon was not taken; one that this receipt has taken already is returned."""
    if coupon.merchant_id != merchant_id:
        raise CouponError("coupon_elsewhere", 404)
    if coupon.state == Standing.REDEEMED:
        if reference and reference == coupon.redeemed_ref:
            return coupon
        raise CouponError("coupon_used", 409, at=coupon.redeemed_at)
    raise CouponError("coupon_expired", 410, at=coupon.expires_at)


def hash_of(text: str) -> str:
    """Return the hash of what was scanned or typed.

    Raises:
        CouponError: It is no code of a coupon, or was misread; nothing of it is kept.
    """
    code = read_code(text)
    if not code:
        raise CouponError("coupon_misread", 422)
    return digest(code)
