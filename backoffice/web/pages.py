"""Server-rendered pages. Every form works without JavaScript; htmx only refreshes lists."""

import secrets
from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from backoffice import cases, review
from backoffice.review import Command, DecisionError, Shown, StaleError
from backoffice.states import State
from backoffice.web import auth, desk_facts, facts, gate
from backoffice.web.render import LOCALE_COOKIE, page
from pos_agent.domain.refund import MoneyMoved
from pos_agent.i18n.backoffice import LOCALES


def _go(url: str) -> RedirectResponse:
    return RedirectResponse(url, HTTPStatus.SEE_OTHER)


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


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
        token, _ = await gate.sign_in(desk, _word(form, "login"), _word(form, "password"))
    except auth.LoginError as error:
        return _login_page(request, code=f"login.{error.code}", status=HTTPStatus.UNAUTHORIZED)
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
    return facts.PENDING


async def get_queue(request: Request) -> Response:
    """Show the queue, or only its rows for htmx."""
    session, desk = await gate.signed_in(request), gate.desk_of(request)
    view = request.query_params.get("view", "pending")
    rows = await desk.database.read(lambda db: facts.list_requests(db, _states(view)))
    counts = await desk.database.read(facts.counts)
    template = "_rows.html" if request.headers.get("HX-Request") else "queue.html"
    waiting = sum(counts.get(state, 0) for state in facts.PENDING)
    return page(request, template, session=session, rows=rows, counts=counts, waiting=waiting, view=view)


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
    found = await desk.database.read(lambda db: desk_facts.open_cases(db, session.actor))
    alarms = await desk.database.read(desk_facts.alarms)
    refused = await desk.database.read(desk_facts.refused)
    return page(request, "cases.html", session=session, cases=found, alarms=alarms, refused=refused)


async def post_case(request: Request) -> Response:
    """Propose, confirm or refuse what happened in a case."""
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    case_id, actor, context = int(request.path_params["case_id"]), session.actor, desk.context
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
    """Search sales."""
    session, desk = await gate.signed_in(request), gate.desk_of(request)
    words = request.query_params.get("q", "").strip()[:64]
    found = await desk.database.read(lambda db: facts.find_sales(db, desk.context, words))
    template = "_sales.html" if request.headers.get("HX-Request") else "sales.html"
    return page(request, template, session=session, sales=found, words=words)


async def get_terminals(request: Request) -> Response:
    """Show tills, whether they are there, and what they have not been told yet."""
    session, desk = await gate.signed_in(request), gate.desk_of(request)
    found = await desk.database.read(desk_facts.terminals)
    return page(request, "terminals.html", session=session, terminals=found)


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
    Route("/requests/{request_id}", get_request),
    Route("/requests/{request_id}/decision", post_decision, methods=["POST"]),
    Route("/cases", get_cases),
    Route("/cases/{case_id:int}/{action}", post_case, methods=["POST"]),
    Route("/sales", get_sales),
    Route("/terminals", get_terminals),
]
