"""What every handler shares: the desk (database, context), the session of a request, and its CSRF check."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import TypedDict

from starlette.requests import Request

from backoffice.enrolling import Enrolling
from backoffice.ingest.context import Context
from backoffice.review import DecisionError
from backoffice.store.database import Database
from backoffice.web import auth
from backoffice.web.tries import Tries

COOKIE = "pos_backoffice"
#: Cookie of the sign-in page: double submit, because there is no session yet.
LOGIN_COOKIE = "pos_backoffice_login"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


class Desk:
    """What pages work on.

    Attributes:
        on_decided: Called after each committed decision: wakes the executor and the sender.
        tries: Failed sign-ins by address.
        enrolling: Answers tills without a certificate; None = not configured.
        enrol_tries: Their failures by address.
    """

    def __init__(
        self, database: Database, context: Context, on_decided: Callable[[], None], enrolling: Enrolling | None = None
    ) -> None:
        self.database = database
        self.context = context
        self.on_decided = on_decided
        self.tries = Tries()
        self.enrolling = enrolling
        self.enrol_tries = Tries()

    @property
    def is_secure(self) -> bool:
        """Return True if browsers reach us by https only."""
        config = self.context.config
        return bool(config.tls.cert_file) or config.server.public_url.startswith("https://")


class SignInNeededError(Exception):
    """There is no session."""


def desk_of(request: Request) -> Desk:
    """Return the desk of the application."""
    desk: Desk = request.app.state.desk
    return desk


async def signed_in(request: Request) -> auth.SignedIn:
    """Return the session of a request.

    Raises:
        SignInNeededError: None, or it has ended.
    """
    desk = desk_of(request)
    token = request.cookies.get(COOKIE, "")
    found = await desk.database.read(lambda session: auth.find_session(session, token, desk.context.now))
    if found is None:
        raise SignInNeededError
    return found


def check_csrf(session: auth.SignedIn, given: object) -> None:
    """Refuse a form or call that did not come from our own page.

    Raises:
        DecisionError: Missing or wrong token.
    """
    if not isinstance(given, str) or not auth.is_csrf_right(session, given):
        raise DecisionError("csrf", HTTPStatus.FORBIDDEN)


async def sign_in(desk: Desk, login: str, password: str, *, address: str) -> tuple[str, str]:
    """Check a password and open a session; returns cookie token and CSRF token.

    Raises:
        LoginError: Wrong or locked (the failure is committed), or too many failures of this address.
    """
    now = desk.context.now
    if desk.tries.is_too_many(address, now()):
        raise auth.LoginError("too_many", HTTPStatus.TOO_MANY_REQUESTS)
    problem = await desk.database.write(lambda session: auth.check_password(session, login, password, now))
    if problem:
        desk.tries.note_failure(address, now())
        raise auth.LoginError(problem)
    hours = desk.context.config.server.session_hours
    return await desk.database.write(lambda session: auth.open_session(session, login, now, hours=hours))


def address_of(request: Request) -> str:
    """Return where a request comes from; behind a proxy on this machine, what the proxy says (uvicorn's own rule)."""
    return request.client.host if request.client else ""


def page_number(request: Request) -> int:
    """Return the page that is asked for, 1 if none or nonsense is."""
    given = request.query_params.get("page", "1")
    return int(given) if given.isdecimal() and len(given) < 7 else 1


class FleetQuery(TypedDict):
    """How the list of tills is narrowed, as query parameters say."""

    view: str
    words: str
    version: str
    sort: str
    number: int


def fleet_query(request: Request) -> FleetQuery:
    """Read the query parameters of the list of tills; unknown values mean the default."""
    given = request.query_params
    return FleetQuery(
        view=given.get("view", "all"),
        words=given.get("q", "").strip()[:64],
        version=given.get("version", "")[:40],
        sort=given.get("sort", "id"),
        number=page_number(request),
    )


def new_login_token() -> str:
    """Return a fresh token for the sign-in form."""
    return secrets.token_urlsafe(24)
