"""Server-rendered pages. Every form works without JavaScript; htmx only refreshes lists."""

import secrets
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from backoffice import cases, deeds, review
from backoffice.ingest import rescue
from backoffice.review import Command, DecisionError, Shown, StaleError
from backoffice.states import State
from backoffice.store.schema import Refund
from backoffice.web import auth, desk_facts, enrol, fleet, gate, lists
from backoffice.web.render import LOCALE_COOKIE, page
from pos_agent.domain.codes import pay_code_scheme
from pos_agent.domain.desired import Reason
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.refund import Channel, MoneyMoved
from pos_agent.i18n.backoffice import LOCALES
from pos_agent.protocol.limits import MAX_INTEGER
from pos_agent.protocol.rescue import PREFIX as RESCUE_PREFIX

#: Deeds on the page of tills.
_DEEDS = 30


def _go(url: str) -> RedirectResponse:
    return RedirectResponse(url, HTTPStatus.SEE_OTHER)


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.replace("\0", "") if isinstance(value, str) else ""  # PostgreSQL's text holds none


async def home(_request: Request) -> Response:
    """Send to the queue."""
    return _go("/requests")


async def get_login(request: Request) -> Response:
    """Show the sign-in form."""
    return _login_page(request)


def _login_page(request: Request, *, code: str = "", status: int = 200) -> Response:
    token = gate.new_login_token()
    response = page(request, "login.html", status=status, token=token, code=code)
    is_secure = gate.desk_of(request).is_secure
    response.set_cookie(gate.LOGIN_COOKIE, token, httponly=True, samesite="strict", secure=is_secure, path="/login")
    return response


async def post_login(request: Request) -> Response:
    """Sign in."""
    form, desk = await request.form(), gate.desk_of(request)
    expected = request.cookies.get(gate.LOGIN_COOKIE, "")
    if not expected or not secrets.compare_digest(expected.encode(), _word(form, gate.CSRF_FIELD).encode()):
        return _login_page(request, code="error.csrf", status=HTTPStatus.FORBIDDEN)
    try:
        address = gate.address_of(request)
        token, _ = await gate.sign_in(desk, _word(form, "login"), _word(form, "password"), address=address)
    except auth.LoginError as error:
        return _login_page(request, code=f"login.{error.code}", status=error.status)
    response = _go("/requests")
    response.set_cookie(gate.COOKIE, token, httponly=True, samesite="lax", secure=desk.is_secure)
    response.delete_cookie(gate.LOGIN_COOKIE, path="/login")
    return response


async def post_logout(request: Request) -> Response:
    """Sign out."""
    session = await gate.signed_in(request)
    gate.check_csrf(session, (await request.form()).get(gate.CSRF_FIELD))
    token = request.cookies.get(gate.COOKIE, "")
    await gate.desk_of(request).database.write(lambda db: auth.close_session(db, token))
    response = _go("/login")
    response.delete_cookie(gate.COOKIE)
    return response


async def get_locale(request: Request) -> Response:
    """Change the language of this browser; a preference, so a plain link may do it."""
    wanted = request.path_params["locale"]
    back = request.query_params.get("back", "/")
    response = _go(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")
    if wanted in LOCALES:
        response.set_cookie(LOCALE_COOKIE, wanted, max_age=365 * 86_400, samesite="lax")
    return response


def _states(view: str) -> tuple[State, ...]:
    if view == "all":
        return ()
    if view in set(State):
        return (State(view),)
    return lists.PENDING


async def get_queue(request: Request) -> Response:
    """Show one page of the queue, or only its rows for htmx."""
    return await _queue_page(request, await gate.signed_in(request))


async def _queue_page(request: Request, session: auth.SignedIn, *, words: str = "") -> Response:
    desk, query = gate.desk_of(request), request.query_params
    view, channel, terminal_id = (query.get(name, "") for name in ("view", "channel", "terminal"))
    view = view or ("all" if words else "pending")
    found = await desk.database.read(
        lambda db: lists.list_requests(
            db,
            desk.context,
            _states(view),
            number=gate.page_number(request),
            words=words,
            channel=channel,
            terminal_id=terminal_id,
        )
    )
    counts = await desk.database.read(lists.counts)
    return page(
        request,
        "_rows.html" if request.headers.get("HX-Request") else "queue.html",
        session=session,
        found=found,
        counts=counts,
        waiting=sum(counts.get(state, 0) for state in lists.PENDING),
        view=view,
        words=words,
        channel=channel,
        terminal_id=terminal_id,
        channels=list(Channel),
        here=_here("/requests", view=view, channel=channel, terminal=terminal_id),
    )


def _here(path: str, **kept: str) -> str:
    """Return the address of a list with its filters, to which a page number is added."""
    return f"{path}?{urlencode({name: value for name, value in kept.items() if value})}"


async def post_find(request: Request) -> Response:
    """Go to the request whose number was typed or scanned, or list what ends in those digits.

    A form that is posted: whatever a scanner types into the field, a payment code too, gets into no address and no log.
    """
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    words = "".join(_word(form, "q").split())
    if words.startswith(RESCUE_PREFIX):
        return await _rescue(request, session, words)
    words = words[:64]
    if is_refund_request_id(words) and await desk.database.read(lambda db: db.get(Refund, words)) is not None:
        return _go(f"/requests/{words}")
    if pay_code_scheme(words):
        return page(request, "error.html", session=session, status=HTTPStatus.UNPROCESSABLE_ENTITY, code="payment_code")
    return await _queue_page(request, session, words=words)


async def _rescue(request: Request, session: auth.SignedIn, code: str) -> Response:
    """Take a request from the QR code of its slip, and show it."""
    desk = gate.desk_of(request)
    if session.actor.role == "viewer":
        raise DecisionError("role", HTTPStatus.FORBIDDEN)
    found = await desk.database.write(lambda db: rescue.take(db, desk.context, code, actor=session.actor.name))
    if not found.is_here:
        status, code = HTTPStatus.UNPROCESSABLE_ENTITY, found.words.removeprefix("error.")
        return page(request, "error.html", session=session, status=status, code=code)
    desk.on_decided()
    return _go(f"/requests/{found.refund_request_id}")


async def get_request(request: Request) -> Response:
    """Show a request with everything that its decision needs."""
    return await _request_page(request, await gate.signed_in(request))


async def _request_page(
    request: Request, session: auth.SignedIn, *, error: DecisionError | None = None, seen: Shown | None = None
) -> Response:
    desk, request_id = gate.desk_of(request), request.path_params["request_id"]
    found = await desk_facts.open_request(desk.database, desk.context, session.actor, request_id)
    if found is None:
        raise DecisionError("not_found", HTTPStatus.NOT_FOUND)
    status = error.status if error else HTTPStatus.OK
    return page(request, "request.html", session=session, status=status, it=found, error=error, seen=seen)


async def post_decision(request: Request) -> Response:
    """Take a decision; a stale one shows the page as it is now, and what changed."""
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    try:
        numbers = {name: int(_word(form, name)) for name in Shown.__struct_fields__}
    except ValueError as error:
        raise DecisionError("version", HTTPStatus.UNPROCESSABLE_ENTITY) from error
    shown = Shown(**numbers)
    command = Command(kind=_word(form, "decision"), shown=shown, reason=_word(form, "reason"))
    request_id = request.path_params["request_id"]
    try:
        await desk.database.write(lambda db: review.decide(db, desk.context, session.actor, request_id, command))
    except DecisionError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise
        return await _request_page(request, session, error=error, seen=shown if isinstance(error, StaleError) else None)
    desk.on_decided()
    return _go(f"/requests/{request_id}")


async def get_cases(request: Request) -> Response:
    """Show what only two further persons can settle."""
    session, desk = await gate.signed_in(request), gate.desk_of(request)
    found = await desk.database.read(lambda db: desk_facts.open_cases(db, desk.context, session.actor))
    alarms = await desk.database.read(desk_facts.alarms)
    refused = await desk.database.read(desk_facts.refused)
    return page(request, "cases.html", session=session, cases=found, alarms=alarms, refused=refused)


async def post_case(request: Request) -> Response:
    """Propose, confirm or refuse what happened in a case."""
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    case_id, actor, context = int(request.path_params["case_id"]), session.actor, desk.context
    if case_id > MAX_INTEGER:
        raise DecisionError("not_found", HTTPStatus.NOT_FOUND)
    said = _word(form, "moved")
    match request.path_params["action"]:
        case "propose" if said in ("yes", "no"):
            moved, reason = MoneyMoved(said), _word(form, "reason")
            await desk.database.write(lambda db: cases.propose(db, context, actor, case_id, moved=moved, reason=reason))
        case "confirm":
            await desk.database.write(lambda db: cases.confirm(db, context, actor, case_id, proposal=said))
        case "refuse":
            await desk.database.write(lambda db: cases.refuse(db, context, actor, case_id))
        case _:
            raise DecisionError("not_now", HTTPStatus.UNPROCESSABLE_ENTITY)
    desk.on_decided()
    return _go("/cases")


async def get_sales(request: Request) -> Response:
    """Show the newest sales."""
    return await _sales_page(request, await gate.signed_in(request), "")


async def post_sales(request: Request) -> Response:
    """Search sales; posted for the same reason as `post_find`."""
    session, form = await gate.signed_in(request), await request.form()
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    return await _sales_page(request, session, _word(form, "q").strip()[:64])


async def _sales_page(request: Request, session: auth.SignedIn, words: str) -> Response:
    desk = gate.desk_of(request)
    found = await desk.database.read(lambda db: lists.find_sales(db, desk.context, words))
    template = "_sales.html" if request.headers.get("HX-Request") else "sales.html"
    return page(request, template, session=session, sales=found, words=words)


async def get_terminals(request: Request) -> Response:
    """Show one page of tills: whether they are there, what they run, what is under way between them and us."""
    session, desk = await gate.signed_in(request), gate.desk_of(request)
    asked = gate.fleet_query(request)
    found = await desk.database.read(lambda db: fleet.fleet(db, **asked))
    waiting = await desk.database.read(enrol.waiting_tills)
    done = await desk.database.read(lambda db: deeds.newest(db, limit=_DEEDS))
    here = _here("/terminals", view=asked["view"], q=asked["words"], version=asked["version"], sort=asked["sort"])
    return page(
        request,
        "terminals.html",
        session=session,
        found=found,
        asked=asked,
        views=fleet.VIEWS,
        reasons=frozenset(Reason),
        here=here,
        waiting=waiting,
        deeds=done,
    )


def on_decision_error(request: Request, error: Exception) -> Response:
    """Show why something was refused."""
    assert isinstance(error, DecisionError)
    return page(request, "error.html", status=error.status, code=error.code)


def on_no_session(request: Request, _error: Exception) -> Response:
    """Send to the sign-in page; tell htmx to do so too."""
    if request.headers.get("HX-Request"):
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
    return _go("/login")


def on_not_found(request: Request, _error: Exception) -> Response:
    """Show that there is no such page."""
    return page(request, "error.html", status=HTTPStatus.NOT_FOUND, code="not_found")


ROUTES = [
    Route("/", home),
    Route("/login", get_login),
    Route("/login", post_login, methods=["POST"]),
    Route("/logout", post_logout, methods=["POST"]),
    Route("/locale/{locale}", get_locale),
    Route("/requests", get_queue),
    Route("/requests/find", post_find, methods=["POST"]),
    Route("/requests/{request_id}", get_request),
    Route("/requests/{request_id}/decision", post_decision, methods=["POST"]),
    Route("/cases", get_cases),
    Route("/cases/{case_id:int}/{action}", post_case, methods=["POST"]),
    Route("/sales", get_sales),
    Route("/sales", post_sales, methods=["POST"]),
    Route("/terminals", get_terminals),
]
