"""Calls of the bench API that make the world around the till misbehave: cables, network, acquirer, power, clock."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hil.bench.bodies import AcquirerBody, ClockBody, DecideBody, Decision, EmptyBody, FaultBody
from hil.bench.errors import ApiError, body
from hil.rig.backoffice import DecisionRefusedError
from hil.rig.daemon import find_faketime
from hil.rig.faults import KINDS, UnknownFaultError
from hil.rig.rig import Rig


def _rig(request: Request) -> Rig:
    rig: Rig = request.app.state.rig
    return rig


async def get_faults(request: Request) -> Response:
    """Answer the faults that are on, and all that there are."""
    active = [msgspec.to_builtins(fault) for fault in _rig(request).faults.active]
    return JSONResponse({"faults": active, "kinds": KINDS})


async def post_fault(request: Request) -> Response:
    """Switch a fault on; answers its id."""
    wanted = await body(request, FaultBody)
    try:
        fault = await _rig(request).faults.set(wanted.kind, wanted.device, wanted.params)
    except UnknownFaultError as error:
        raise ApiError(422, "unknown_fault", str(error), "GET /faults lists all kinds") from error
    return JSONResponse(msgspec.to_builtins(fault), status_code=201)


async def delete_fault(request: Request) -> Response:
    """Switch a fault off."""
    fault_id = request.path_params["fault_id"]
    if not await _rig(request).faults.clear(fault_id):
        raise ApiError(404, "no_fault", f"fault {fault_id!r} is not on", "GET /faults lists those that are")
    return JSONResponse({"cleared": fault_id})


async def post_device(request: Request) -> Response:
    """Pull a device's cable, or put it back."""
    rig = _rig(request)
    name, verb = request.path_params["name"], request.path_params["verb"]
    if name not in rig.devices.by_name:
        raise ApiError(404, "no_device", f"no device {name!r}", "there are: " + ", ".join(rig.devices.by_name))
    if verb not in ("unplug", "plug"):
        raise ApiError(404, "no_verb", f"no verb {verb!r}", "unplug or plug")
    if verb == "plug":
        rig.devices.plug(name)
    elif name not in rig.devices.unplugged:
        rig.devices.unplug(name)
    rig.changes.add("device", device=name, verb=verb)
    return JSONResponse({"device": name, "plugged": name not in rig.devices.unplugged})


async def _broker_stall(rig: Rig) -> None:
    rig.broker.stall()


async def _broker_down(rig: Rig) -> None:
    await rig.broker.down(is_abrupt=True)


_BROKER: dict[str, Callable[[Rig], Awaitable[None]]] = {
    "up": lambda rig: rig.broker.up(),
    "down": _broker_down,
    "stall": _broker_stall,
    "wipe": lambda rig: rig.broker.wipe(),
}
_BACK_OFFICE: dict[str, Callable[[Rig], Awaitable[None]]] = {
    "up": lambda rig: rig.back_office.up(),
    "down": lambda rig: rig.back_office.down(),
    "slow": lambda rig: rig.back_office.slow(),
    "stall": lambda rig: rig.back_office.stall(),
}


async def post_broker(request: Request) -> Response:
    """Break the network, or mend it."""
    rig = _rig(request)
    await _act(rig, _BROKER, request.path_params["verb"])
    return JSONResponse({"broker": rig.broker.mode})


async def post_back_office(request: Request) -> Response:
    """Kill, freeze or slow down the back office, or start it again."""
    rig = _rig(request)
    await _act(rig, _BACK_OFFICE, request.path_params["verb"])
    return JSONResponse({"back_office": rig.back_office.mode})


async def _act(rig: Rig, verbs: dict[str, Callable[[Rig], Awaitable[None]]], verb: str) -> None:
    action = verbs.get(verb)
    if action is None:
        raise ApiError(404, "no_verb", f"no verb {verb!r}", "there are: " + ", ".join(verbs))
    await action(rig)
    rig.changes.add("network", verb=verb)


async def post_acquirer(request: Request) -> Response:
    """Queue what the acquirer answers next."""
    wanted = await body(request, AcquirerBody)
    await _rig(request).acquirer.control(wanted.next, is_settled=wanted.settle)
    return JSONResponse({"next": wanted.next})


async def get_movements(request: Request) -> Response:
    """Answer every movement of money, from the acquirer's own ledger."""
    return JSONResponse({"movements": await _rig(request).acquirer.movements()})


async def get_requests(request: Request) -> Response:
    """Answer the requests that the back office has, through its own login."""
    return JSONResponse({"requests": await _rig(request).back_office.requests()})


async def post_decide(request: Request) -> Response:
    """Decide a request through the back office's own login."""
    wanted = await body(request, DecideBody)
    if wanted.decision in (Decision.REJECT, Decision.NEED_INFO) and not wanted.reason:
        raise ApiError(422, "invalid", f"{wanted.decision} needs a reason", 'such as {"reason": "单据不符"}')
    try:
        office = _rig(request).back_office
        answer = await office.decide(wanted.refund_request_id, wanted.decision, wanted.reason, wanted.user)
    except DecisionRefusedError as error:
        raise ApiError(409, "refused", str(error), "GET the back office's page of this request") from error
    return JSONResponse(answer)


async def post_power(request: Request) -> Response:
    """Cut the till's power, or switch it on again."""
    rig = _rig(request)
    verb = request.path_params["verb"]
    if verb == "cut":
        await rig.power_cut()
    elif verb == "on":
        rig.power_on()
    else:
        raise ApiError(404, "no_verb", f"no verb {verb!r}", "cut or on")
    return JSONResponse({"power": "on" if rig.daemon.is_powered else "off"})


async def post_clock(request: Request) -> Response:
    """Make the till's clock wrong."""
    wanted = await body(request, ClockBody)
    if wanted.skew_s and find_faketime() is None:
        raise ApiError(501, "no_faketime", "libfaketime is not installed", "apt-get install libfaketime")
    has_restarted = await _rig(request).daemon.set_skew(wanted.skew_s)
    return JSONResponse({"skew_s": wanted.skew_s, "restarted": has_restarted})


async def post_reset(request: Request) -> Response:
    """Make everything fresh."""
    await body(request, EmptyBody)
    rig = _rig(request)
    await rig.reset()
    return JSONResponse({"screen_seq": rig.changes.screen_seq})
