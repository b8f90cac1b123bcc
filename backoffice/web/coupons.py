"""The page of coupons and ``POST /api/coupons/redeem``: the same sign-in, CSRF and roles as decisions."""

from collections.abc import Callable
from http import HTTPStatus

import msgspec
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backoffice import coupon_facts, coupons
from backoffice.coupon_book import fresh_code, month_of, new_coupon_id
from backoffice.coupon_words import local_time, why_not, why_not_in_all
from backoffice.coupons import CouponError, Order
from backoffice.ingest.context import Context
from backoffice.review import DecisionError
from backoffice.store.coupon_tables import Coupon
from backoffice.store.schema import Merchant
from backoffice.web import auth, gate
from backoffice.web.bodies import Json, read_body
from backoffice.web.render import locale_of, page
from pos_agent.domain.money import format_amount, parse_yuan
from pos_agent.i18n.backoffice import text


class RedeemCall(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /api/coupons/redeem``."""

    code: str
    merchant_id: str
    receipt: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says at its top after a form."""

    words: str = ""
    is_refusal: bool = False
    code: str = ""
    until: str = ""


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


async def get_coupons(request: Request) -> Response:
    """Show budgets, what waits, and the newest coupons."""
    return await _show(request, await gate.signed_in(request), Told())


async def _show(request: Request, session: auth.SignedIn, told: Told, status: int = HTTPStatus.OK) -> Response:
    desk = gate.desk_of(request)

    def read(db: Session) -> dict[str, object]:
        return {
            "coupons": coupon_facts.lines(db, desk.context),
            "sums": coupon_facts.sums(db),
            "budgets": coupon_facts.budgets(db, desk.context, month_of(desk.context)),
            "merchants": [row.merchant_id for row in db.query(Merchant).order_by(Merchant.merchant_id).limit(50)],
        }

    found = await desk.database.read(read)
    return page(request, "coupons.html", session=session, status=status, told=told, fresh_id=new_coupon_id(), **found)


async def post_coupons(request: Request) -> Response:
    """Issue a coupon, decide on one that waits, or take one; the answer is the page itself, which shows a code once."""
    session, form = await gate.signed_in(request), await request.form()
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    work = {"issue": _issue, "approve": _approve, "refuse": _refuse, "redeem": _redeem}[request.path_params["action"]]
    try:
        told = await work(request, session, form)
    except DecisionError as error:
        words = why_not(gate.desk_of(request).context, error, locale_of(request))
        return await _show(request, session, Told(words=words, is_refusal=True), error.status)
    return await _show(request, session, told)


async def _issue(request: Request, session: auth.SignedIn, form: FormData) -> Told:
    desk, fresh = gate.desk_of(request), fresh_code()
    try:
        amount_minor = parse_yuan(_word(form, "amount"))
    except ValueError as error:
        raise DecisionError("coupon_amount", HTTPStatus.UNPROCESSABLE_ENTITY) from error
    order = Order(
        merchant_id=_word(form, "merchant")[:64],
        store=_word(form, "store")[:80],
        amount_minor=amount_minor,
        reason=_word(form, "reason"),
        refund_request_id="".join(_word(form, "request").split())[:22],
    )
    # Of the form: sent twice by an impatient hand or a reload, it makes one coupon.
    coupon_id = _word(form, "coupon_id")[:22] or new_coupon_id()
    coupon, code = await desk.database.write(
        lambda db: coupons.issue(db, desk.context, session.actor, order, fresh=fresh, coupon_id=coupon_id)
    )
    return _told(request, coupon, code)


async def _approve(request: Request, session: auth.SignedIn, form: FormData) -> Told:
    desk, fresh, coupon_id = gate.desk_of(request), fresh_code(), _word(form, "coupon_id")
    coupon, code = await desk.database.write(
        lambda db: coupons.approve(db, desk.context, session.actor, coupon_id, fresh=fresh)
    )
    return _told(request, coupon, code)


def _told(request: Request, coupon: Coupon, code: str) -> Told:
    if not code or coupon.expires_at is None:
        return Told(words=text("coupon.waits", locale_of(request)))
    return Told(code=code, until=local_time(gate.desk_of(request).context, coupon.expires_at))


async def _refuse(request: Request, session: auth.SignedIn, form: FormData) -> Told:
    desk, coupon_id = gate.desk_of(request), _word(form, "coupon_id")
    await desk.database.write(lambda db: coupons.refuse(db, desk.context, session.actor, coupon_id))
    return Told(words=text("coupon.refused", locale_of(request)))


async def _redeem(request: Request, session: auth.SignedIn, form: FormData) -> Told:
    code, merchant_id, receipt = _word(form, "code"), _word(form, "merchant"), _word(form, "receipt")
    coupon, is_new = await _take(gate.desk_of(request), session, code, merchant_id=merchant_id, receipt=receipt)
    return Told(words=_taken(coupon, locale_of(request), is_new=is_new))


def _taken(coupon: Coupon, locale: str, *, is_new: bool) -> str:
    key = "coupon.taken" if is_new else "coupon.taken_before"
    return text(key, locale, amount=format_amount(coupon.amount_minor))


async def _take(
    desk: gate.Desk, session: auth.SignedIn, code: str, *, merchant_id: str, receipt: str
) -> tuple[Coupon, bool]:
    code_hash = await desk.database.run(coupons.hash_of, code)
    return await desk.database.write(
        _redeeming(desk.context, session, code_hash, merchant_id=merchant_id, receipt=receipt)
    )


def _redeeming(
    context: Context, session: auth.SignedIn, code_hash: str, *, merchant_id: str, receipt: str
) -> Callable[[Session], tuple[Coupon, bool]]:
    return lambda db: coupons.redeem(db, context, session.actor, code_hash, merchant_id=merchant_id, reference=receipt)


async def api_redeem(request: Request) -> Response:
    """Take a coupon, for a cash desk."""
    session = await gate.signed_in(request)
    gate.check_csrf(session, request.headers.get(gate.CSRF_HEADER))
    call, desk = await read_body(request, RedeemCall), gate.desk_of(request)
    try:
        coupon, is_new = await _take(desk, session, call.code, merchant_id=call.merchant_id, receipt=call.receipt)
    except CouponError as error:
        at = error.parameters.get("at")
        refusal = {"code": error.code, "at": at, **why_not_in_all(desk.context, error)}
        return Json({"error": refusal}, error.status)
    facts = {"coupon_id": coupon.coupon_id, "kind": coupon.kind, "amount_minor": coupon.amount_minor}
    return Json({**facts, "currency": coupon.currency, "redeemed_at": coupon.redeemed_at, "is_new": is_new})


async def api_list(request: Request) -> Response:
    """List coupons and their sums, never a code."""
    await gate.signed_in(request)
    desk = gate.desk_of(request)
    found = await desk.database.read(
        lambda db: {"coupons": coupon_facts.lines(db, desk.context), "sums": coupon_facts.sums(db)}
    )
    return Json(found)


ROUTES = [
    Route("/coupons", get_coupons),
    Route("/coupons/{action:str}", post_coupons, methods=["POST"]),
    Route("/api/coupons", api_list),
    Route("/api/coupons/redeem", api_redeem, methods=["POST"]),
]
