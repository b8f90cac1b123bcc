"""The ASGI application."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from backoffice.review import DecisionError
from backoffice.web import api, approve, coupons, enrol, pages
from backoffice.web.gate import Desk, SignInNeededError

_STATIC = Path(__file__).parent / "static"
#: Nothing from elsewhere, no inline script: a reflected string can do nothing (htmx's inline style is switched off).
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


async def _harden(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    # PostgreSQL's text holds no NUL, and no person types one: such an address is nobody's question.
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.app.state.desk.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if not request.url.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _by_path(
    for_scripts: Callable[[Request, Exception], Response], for_people: Callable[[Request, Exception], Response]
) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        handler = for_scripts if request.url.path.startswith("/api/") else for_people
        return handler(request, error)

    return handle


def make_app(desk: Desk) -> Starlette:
    """Return the application over a desk."""
    app = Starlette(
        routes=[
            *api.ROUTES,
            *enrol.ROUTES,
            *approve.ROUTES,
            *coupons.ROUTES,
            *pages.ROUTES,
            Mount("/static", StaticFiles(directory=_STATIC), name="static"),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_harden)],
        exception_handlers={
            DecisionError: _by_path(api.on_decision_error, pages.on_decision_error),
            SignInNeededError: _by_path(api.on_no_session, pages.on_no_session),
            msgspec.DecodeError: api.on_bad_body,
            404: _by_path(lambda _request, _error: api.problem("not_found", 404), pages.on_not_found),
        },
    )
    app.state.desk = desk
    return app
