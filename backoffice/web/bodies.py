"""Bodies of JSON calls, in and out."""

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

_T = TypeVar("_T")


class Json(Response):
    """A response of msgspec's JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode structs as they are."""
        return msgspec.json.encode(content)


async def read_body(request: Request, kind: type[_T]) -> _T:
    """Return the body as it is documented.

    Raises:
        msgspec.DecodeError: It is not.
    """
    body = await request.body()
    if rb"\u0000" in body:
        raise msgspec.DecodeError("NUL in text")
    try:
        return msgspec.json.decode(body, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
