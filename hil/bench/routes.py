"""The calls of the bench API as a table: the application and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hil.bench import bodies, calls_till, calls_world

PREFIX = "/api/v1"
Handler = Callable[[Request], Awaitable[Response]]


class Call(msgspec.Struct, frozen=True):
    """One call.

    Attributes:
        body: Schema of the JSON body; None = no body.
        query: Names and meanings of query parameters.
        media_type: Of the answer.
    """

    method: str
    path: str
    handler: Handler
    body: type[msgspec.Struct] | None = None
    query: dict[str, str] = {}
    media_type: str = "application/json"

    @property
    def summary(self) -> str:
        """Return the first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().split("\n")[0]


_WAIT = {"wait_s": "with since: longest wait in seconds, at most 60"}
CALLS: tuple[Call, ...] = (
    Call("GET", "/state", calls_till.get_state, query={"since": "answer only after screen number SEQ", **_WAIT}),
    Call("POST", "/keys", calls_till.post_keys, bodies.KeysBody),
    Call("POST", "/scan", calls_till.post_scan, bodies.ScanBody),
    Call("POST", "/scanner", calls_till.post_scanner, bodies.ScannerBody),
    Call("POST", "/camera", calls_till.post_camera),
    Call("GET", "/sales", calls_till.get_sales),
    Call("GET", "/slips", calls_till.get_slips, query={"since": "answer only after slip_seq SEQ", **_WAIT}),
    Call("GET", "/slips/{slip_id}.png", calls_till.get_slip_png, media_type="image/png"),
    Call("GET", "/slips/{slip_id}", calls_till.get_slip),
    Call("GET", "/faults", calls_world.get_faults),
    Call("POST", "/faults", calls_world.post_fault, bodies.FaultBody),
    Call("DELETE", "/faults/{fault_id}", calls_world.delete_fault),
    Call("POST", "/devices/{name}/{verb}", calls_world.post_device),
    Call("POST", "/broker/{verb}", calls_world.post_broker),
    Call("GET", "/backoffice/requests", calls_world.get_requests),
    Call("POST", "/backoffice/decide", calls_world.post_decide, bodies.DecideBody),
    Call("POST", "/backoffice/{verb}", calls_world.post_back_office),
    Call("POST", "/acquirer", calls_world.post_acquirer, bodies.AcquirerBody),
    Call("GET", "/acquirer/movements", calls_world.get_movements),
    Call("POST", "/power/{verb}", calls_world.post_power),
    Call("POST", "/clock", calls_world.post_clock, bodies.ClockBody),
    Call("POST", "/reset", calls_world.post_reset, bodies.EmptyBody),
    Call("GET", "/info", calls_till.get_info),
    Call("GET", "/events", calls_till.get_events, media_type="text/event-stream"),
)
