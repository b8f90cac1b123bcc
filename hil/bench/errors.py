"""Errors of the bench API: ``{"error": {"code", "message", "hint"}}``, and bodies checked against a schema."""

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_Body = TypeVar("_Body", bound=msgspec.Struct)
#: Largest body taken; a scan is at most a QR code of 7,089 digits.
MAX_BODY_BYTES = 65_536


class ApiError(Exception):
    """A request that cannot be done.

    Attributes:
        status: HTTP status.
        code: Stable word for programs.
        hint: What to do instead; may be empty.
    """

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.hint = hint


def error_response(error: ApiError) -> JSONResponse:
    """Return the error as JSON."""
    body = {"code": error.code, "message": str(error), "hint": error.hint}
    return JSONResponse({"error": body}, status_code=error.status)


async def handle_api_error(_request: Request, error: Exception) -> Response:
    """Answer an `ApiError` (exception handler of the application)."""
    assert isinstance(error, ApiError)
    return error_response(error)


async def body(request: Request, kind: type[_Body]) -> _Body:
    """Return the request's JSON body as a struct; an empty body stands for ``{}``.

    Raises:
        ApiError: 413 too large, 400 not JSON, 422 not what the schema says.
    """
    data = await request.body()
    if len(data) > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", f"the body has {len(data)} bytes, at most {MAX_BODY_BYTES} are taken")
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ApiError(422, "invalid", str(error), "the schema is at /api/v1/openapi.json") from error
    except msgspec.DecodeError as error:
        raise ApiError(400, "not_json", str(error), "send a JSON object") from error


def number(request: Request, name: str, default: float, *, highest: float) -> float:
    """Return a number of the query string.

    Raises:
        ApiError: 422, not a number from 0 to `highest`.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest:
        raise ApiError(422, "invalid", f"{name}={text!r} is no number from 0 to {highest:g}")
    return value
