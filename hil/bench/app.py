"""The bench as a web application: the page, the API, and the API's own description."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hil.bench.errors import ApiError, error_response, handle_api_error
from hil.bench.openapi import document
from hil.bench.routes import CALLS, PREFIX
from hil.rig.rig import Rig

STATIC = Path(__file__).parent / "static"
#: Everything comes from this server: a page that a shop may open without the internet.
_SECURITY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


async def get_page(_request: Request) -> Response:
    """Answer the page."""
    headers = {"Content-Security-Policy": _SECURITY, "Cache-Control": "no-store"}
    return HTMLResponse(_page(), headers=headers)


def _page() -> str:
    """Return the page's HTML: read at each call, so that who edits it sees the change; 5 kB need no thread."""
    return (STATIC / "index.html").read_text("utf-8")


async def get_openapi(_request: Request) -> Response:
    """Answer the OpenAPI document."""
    return JSONResponse(document())


async def handle_http_error(request: Request, error: Exception) -> Response:
    """Answer 404 and 405 in the API's own form."""
    assert isinstance(error, HTTPException)
    code = {404: "no_such_call", 405: "wrong_method"}.get(error.status_code, "error")
    hint = f"{PREFIX}/openapi.json lists all calls"
    return error_response(ApiError(error.status_code, code, f"{request.method} {request.url.path}", hint))


def make_app(rig: Rig) -> Starlette:
    """Return the application around a rig that somebody else starts and stops."""
    routes: list[Route | Mount] = [Route("/", get_page), Route(f"{PREFIX}/openapi.json", get_openapi)]
    routes += [Route(PREFIX + call.path, call.handler, methods=[call.method]) for call in CALLS]
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))
    app = Starlette(
        routes=routes,
        exception_handlers={ApiError: handle_api_error, HTTPException: handle_http_error},
    )
    app.state.rig = rig
    return app
