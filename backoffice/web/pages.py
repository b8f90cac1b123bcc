"""Server-rendered pages."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

ROUTES: list[Route] = []


def on_decision_error(_request: Request, error: Exception) -> Response:
    """Say why."""
    return PlainTextResponse(str(error), 409)


def on_no_session(_request: Request, _error: Exception) -> Response:
    """Say why."""
    return PlainTextResponse("sign in", 401)


def on_not_found(_request: Request, _error: Exception) -> Response:
    """Say why."""
    return PlainTextResponse("not found", 404)
