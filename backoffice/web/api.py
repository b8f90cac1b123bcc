"""JSON endpoints for scripts: the same sign-in, CSRF and version rules as the pages.

``POST /api/login`` ``{"user", "password"}``
    sets the cookie, answers ``{"csrf", "person"}``
``GET /api/requests?state=reviewing&q=&channel=&terminal=&page=1``
    ``{"requests": […], "page", "pages", "total"}``; `state` may repeat
``GET /api/requests/{id}``
    everything a decision needs, and ``shown``
``POST /api/requests/{id}/decision`` ``{"decision", "reason"?, "shown"}``
    header ``X-CSRF-Token``; `shown` as read, other values get 409
``GET /api/terminals?view=problems&q=&version=&sort=seen&page=1``
    ``{"rows": […], "number", "pages", "total", "counts", "versions"}``
``GET /api/alarms``
    ``{"alarms": [{"alarm_id", "name", "terminal_id", "refund_request_id", "data", "at"}, …]}``; the newest 500
``GET /api/sales?q=``
    ``{"sales": […]}``
``POST /api/coupons/redeem``, ``GET /api/coupons``
    `backoffice.web.coupons`
``GET /api/health``
    without sign-in
"""

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backoffice import review
from backoffice.review import Command, DecisionError, Shown, StaleError
from backoffice.states import State
from backoffice.web import auth, desk_facts, facts, fleet, gate, lists
from backoffice.web.bodies import Json, read_body
from pos_agent.i18n.backoffice import text

#: Requests or alarms on one page of a script's list.
_LIST_LIMIT = 500


class LoginCall(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /api/login``."""

    user: str
    password: str


class DecisionCall(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /api/requests/{id}/decision``."""

    decision: str
    shown: Shown
    reason: str = ""


def problem(code: str, status: int, *, locale: str = "en", detail: str = "") -> JSONResponse:
    """Return an error as JSON: ``{"error": {"code", "message", "detail"}}``."""
    message = text(code if "." in code else f"error.{code}", locale)
    return JSONResponse({"error": {"code": code, "message": message, "detail": detail}}, status)


async def health(request: Request) -> Response:
    """Say that pages and database work."""
    waiting = await gate.desk_of(request).database.read(lists.counts)
    return Json({"ok": True, "requests": waiting})


async def login(request: Request) -> Response:
    """Open a session."""
    call = await read_body(request, LoginCall)
    desk = gate.desk_of(request)
    try:
        token, csrf = await gate.sign_in(desk, call.user, call.password, address=gate.address_of(request))
    except auth.LoginError as error:
        return problem(f"login.{error.code}", error.status)
    response = Json({"csrf": csrf, "user": call.user})
    response.set_cookie(gate.COOKIE, token, httponly=True, samesite="lax", secure=desk.is_secure)
    return response


async def list_requests(request: Request) -> Response:
    """List requests, filtered, 500 a page."""
    await gate.signed_in(request)
    try:
        states = tuple(State(value) for value in request.query_params.getlist("state") if value)
    except ValueError as error:
        return problem("not_found", HTTPStatus.UNPROCESSABLE_ENTITY, detail=str(error))
    desk, query = gate.desk_of(request), request.query_params
    found = await desk.database.read(
        lambda session: lists.list_requests(
            session,
            desk.context,
            states,
            limit=_LIST_LIMIT,
            number=gate.page_number(request),
            words=query.get("q", "").strip()[:64],
            channel=query.get("channel", ""),
            terminal_id=query.get("terminal", ""),
        )
    )
    return Json({"requests": found.rows, "page": found.number, "pages": found.pages, "total": found.total})


async def get_request(request: Request) -> Response:
    """Return one request."""
    session_of = await gate.signed_in(request)
    desk, request_id = gate.desk_of(request), request.path_params["request_id"]
    found = await desk_facts.open_request(desk.database, desk.context, session_of.actor, request_id)
    return Json(found) if found else problem("not_found", HTTPStatus.NOT_FOUND)


async def post_decision(request: Request) -> Response:
    """Take a decision."""
    session_of = await gate.signed_in(request)
    gate.check_csrf(session_of, request.headers.get(gate.CSRF_HEADER))
    call = await read_body(request, DecisionCall)
    desk, request_id = gate.desk_of(request), request.path_params["request_id"]
    command = Command(kind=call.decision, shown=call.shown, reason=call.reason)
    await desk.database.write(lambda db: review.decide(db, desk.context, session_of.actor, request_id, command))
    desk.on_decided()
    found = await desk.database.read(lambda db: facts.detail(db, desk.context, session_of.actor, request_id))
    return Json(found)


async def list_terminals(request: Request) -> Response:
    """List tills."""
    await gate.signed_in(request)
    asked = gate.fleet_query(request)
    return Json(await gate.desk_of(request).database.read(lambda db: fleet.fleet(db, **asked)))


async def list_alarms(request: Request) -> Response:
    """List the newest alarms."""
    await gate.signed_in(request)
    found = await gate.desk_of(request).database.read(lambda db: desk_facts.alarms(db, _LIST_LIMIT))
    return Json({"alarms": found})


async def list_sales(request: Request) -> Response:
    """Search sales."""
    await gate.signed_in(request)
    desk, words = gate.desk_of(request), request.query_params.get("q", "").strip()
    return Json({"sales": await desk.database.read(lambda db: lists.find_sales(db, desk.context, words, limit=200))})


def on_decision_error(_request: Request, error: Exception) -> Response:
    """Turn a refused decision into its status."""
    assert isinstance(error, DecisionError)
    detail = f"seen={error.seen} now={error.now}" if isinstance(error, StaleError) else error.detail
    return problem(error.code, error.status, detail=detail)


def on_bad_body(_request: Request, error: Exception) -> Response:
    """Turn a body that is not as documented into 422."""
    return problem("bad_body", HTTPStatus.UNPROCESSABLE_ENTITY, detail=str(error))


def on_no_session(_request: Request, _error: Exception) -> Response:
    """Ask scripts to sign in."""
    return problem("sign_in_needed", HTTPStatus.UNAUTHORIZED)


ROUTES = [
    Route("/api/alarms", list_alarms),
    Route("/api/health", health),
    Route("/api/login", login, methods=["POST"]),
    Route("/api/requests", list_requests),
    Route("/api/requests/{request_id}", get_request),
    Route("/api/requests/{request_id}/decision", post_decision, methods=["POST"]),
    Route("/api/sales", list_sales),
    Route("/api/terminals", list_terminals),
]
