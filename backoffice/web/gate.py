"""What every handler shares: the desk (database, context), the session of a request, and its CSRF check."""

import secrets
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request

from backoffice.ingest.context import Context
from backoffice.review import DecisionError
from backoffice.store.database import Database
from backoffice.web import auth

COOKIE = "pos_backoffice"
#: Cookie of the sign-in page: double submit, because there is no session yet.
LOGIN_COOKIE = "pos_backoffice_login"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


class Desk:
    """What pages work on.

    Attributes:
        on_decided: Called after each committed decision: wakes the executor and the sender.
    """

    def __init__(self, database: Database, context: Context, on_decided: Callable[[], None]) -> None:
        self.database = database
        self.context = context
        self.on_decided = on_decided

    @property
    def is_secure(self) -> bool:
        """Return True if browsers reach us by https only."""
        return self.context.config.server.public_url.startswith("https://")


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


async def sign_in(desk: Desk, login: str, password: str) -> tuple[str, str]:
    """Check a password and open a session; returns cookie token and CSRF token.

    Raises:
        LoginError: Wrong or locked; the failure is committed.
    """
    now = desk.context.now
    problem = await desk.database.write(lambda session: auth.check_password(session, login, password, now))
    if problem:
        raise auth.LoginError(problem)
    hours = desk.context.config.server.session_hours
    return await desk.database.write(lambda session: auth.open_session(session, login, now, hours=hours))


def new_login_token() -> str:
    """Return a fresh token for the sign-in form."""
    return secrets.token_urlsafe(24)
