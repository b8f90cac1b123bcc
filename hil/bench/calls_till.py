"""Calls of the bench API that a cashier's hands would do: look, press, scan, take the slip."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hil.bench import view
from hil.bench.bodies import KeysBody, ScanBody, ScannerBody
from hil.bench.errors import ApiError, body, number
from hil.rig.changes import Change
from hil.rig.rig import Rig
from hil.rig.scanners import NoPictureError

MAX_WAIT_S = 60.0
MAX_PICTURE_BYTES = 8 * 1024 * 1024
_LOOK_EVERY_S = 1.0


def _rig(request: Request) -> Rig:
    rig: Rig = request.app.state.rig
    return rig


def _require_power(rig: Rig, device: str) -> None:
    if device in rig.devices.unplugged:
        raise ApiError(409, "unplugged", f"the {device} is unplugged", f"POST /devices/{device}/plug")


async def get_state(request: Request) -> Response:
    """Answer the state; with `since`, only after a screen has changed."""
    rig = _rig(request)
    wait_s = number(request, "wait_s", 0.0, highest=MAX_WAIT_S)
    if "since" in request.query_params:
        await rig.changes.wait_screen(int(number(request, "since", 0, highest=2**53)), wait_s)
    return JSONResponse(await view.state(rig))


async def post_keys(request: Request) -> Response:
    """Press keys; answers the screen's number from before."""
    rig = _rig(request)
    wanted = await body(request, KeysBody)
    _require_power(rig, "keypad")
    seq = rig.changes.screen_seq
    if rig.daemon.is_powered:
        keys = [str(key) for key in wanted.keys]
        await rig.devices.keypad.press(keys, hold_ms=wanted.hold_ms, gap_ms=wanted.gap_ms)
    return JSONResponse({"screen_seq": seq})


async def post_scan(request: Request) -> Response:
    """Make the scanner send something; answers the screen's number from before."""
    rig = _rig(request)
    wanted = await body(request, ScanBody)
    _require_power(rig, "scanner")
    data = _scan_bytes(wanted)
    seq = rig.changes.screen_seq
    if rig.daemon.is_powered:
        suffix = wanted.suffix.encode()
        await rig.devices.scanner.send(wanted.symbology.encode() + data, suffix=suffix, chunks=wanted.chunks)
    return JSONResponse({"screen_seq": seq})


def _scan_bytes(wanted: ScanBody) -> bytes:
    if bool(wanted.data) == bool(wanted.hex):
        raise ApiError(422, "invalid", "give either data or hex", 'such as {"data": "6901234567892"}')
    if wanted.data:
        return wanted.data.encode()
    try:
        return bytes.fromhex(wanted.hex)
    except ValueError as error:
        raise ApiError(422, "invalid", f"hex: {error}", "two hexadecimal digits a byte") from error


async def post_scanner(request: Request) -> Response:
    """Put another scanner on the till; the daemon is started again with its configuration."""
    rig = _rig(request)
    wanted = await body(request, ScannerBody)
    await rig.choose_scanner(wanted.kind.value)
    return JSONResponse({"kind": rig.devices.scanner.kind})


async def post_camera(request: Request) -> Response:
    """Hold a picture (PNG, JPEG) before the camera; answers the screen's number from before."""
    rig = _rig(request)
    _require_power(rig, "scanner")
    if rig.devices.scanner.kind != "camera":
        raise ApiError(409, "no_camera", "the scanner is no camera", 'POST /scanner {"kind": "camera"}')
    data = await request.body()
    if len(data) > MAX_PICTURE_BYTES:
        raise ApiError(413, "too_large", f"the picture has {len(data)} bytes, at most {MAX_PICTURE_BYTES} are taken")
    seq = rig.changes.screen_seq
    try:
        if rig.daemon.is_powered:
            rig.devices.scanner.show_picture(data)
    except NoPictureError as error:
        raise ApiError(422, "no_picture", str(error), "send the bytes of a PNG or JPEG file") from error
    return JSONResponse({"screen_seq": seq})


async def get_sales(request: Request) -> Response:
    """Answer the demo sales with the codes to scan."""
    return JSONResponse({"sales": _rig(request).back_office.sales})


async def get_info(request: Request) -> Response:
    """Answer what a person needs to begin: operators with PINs, the back office with users and passwords."""
    return JSONResponse(view.info(_rig(request)))


async def get_slips(request: Request) -> Response:
    """Answer all slips, oldest first; with `since` (a slip_seq), only after another slip has come out."""
    rig = _rig(request)
    wait_s = number(request, "wait_s", 0.0, highest=MAX_WAIT_S)
    if "since" in request.query_params:
        await rig.changes.wait_slip(int(number(request, "since", 0, highest=2**53)), wait_s)
    slips = [view.slip(one) for one in rig.devices.printer.slips]
    return JSONResponse({"slip_seq": rig.changes.slip_seq, "slips": slips})


def _find_slip(request: Request) -> Any:
    wanted = request.path_params["slip_id"]
    for one in _rig(request).devices.printer.slips:
        if str(one.id) == wanted:
            return one
    raise ApiError(404, "no_slip", f"no slip {wanted!r}", "GET /slips lists them")


async def get_slip(request: Request) -> Response:
    """Answer one slip."""
    return JSONResponse(view.slip(_find_slip(request)))


async def get_slip_png(request: Request) -> Response:
    """Answer one slip's picture."""
    headers = {"Cache-Control": "no-store"}
    return Response(_find_slip(request).png, media_type="image/png", headers=headers)


async def get_events(request: Request) -> Response:
    """Stream changes as server-sent events; the first event is the whole state."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(_rig(request)), media_type="text/event-stream", headers=headers)


async def _events(rig: Rig) -> AsyncIterator[str]:
    stream = rig.changes.subscribe()
    sent = await view.state(rig)
    try:
        yield _event("state", sent)
        while True:
            kinds = await _next_changes(stream)
            if "slip" in kinds:
                yield _event("slip", {"slip_seq": rig.changes.slip_seq})
            state = await view.state(rig)
            # Devices, links and counts change without a screen: looked at each second while somebody watches.
            if kinds or not _is_same(state, sent):
                sent = state
                yield _event("state", state)
    finally:
        rig.changes.unsubscribe(stream)


async def _next_changes(stream: asyncio.Queue[Change]) -> set[str]:
    """Wait for changes and return their kinds, all that have come together; empty after a second of silence."""
    kinds: set[str] = set()
    try:
        async with asyncio.timeout(_LOOK_EVERY_S):
            kinds.add((await stream.get()).kind)
    except TimeoutError:
        return kinds
    while not stream.empty():
        kinds.add(stream.get_nowait().kind)
    return kinds


def _is_same(state: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Compare two states without what always grows."""
    return all(state[name] == sent[name] for name in state if name != "daemon") and (
        _without_uptime(state["daemon"]) == _without_uptime(sent["daemon"])
    )


def _without_uptime(daemon: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if daemon is None else {name: value for name, value in daemon.items() if name != "uptime_s"}


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
