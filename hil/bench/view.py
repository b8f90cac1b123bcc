"""What the bench shows as JSON: screens, status, slips."""

from typing import Any

import msgspec

from hil.rig.rig import Rig
from hil.simulators.printer.slip import Slip
from pos_agent.protocol.control import Status

#: How a marked copy says so, in either language (D13).
COPY_MARKS = ("重打印", "DUPLICATED")


def screens(rig: Rig) -> dict[str, Any]:
    """Return each display as shown; a till without power shows nothing."""
    shown = {
        "operator": rig.devices.operator_display,
        "customer": rig.devices.customer_display,
    }
    return {
        name: {
            "size": [display.columns, display.rows],
            "lines": display.lines() if rig.daemon.is_powered else [""] * display.rows,
            "seq": display.seq,
            "beeps": display.beeps,
        }
        for name, display in shown.items()
    }


async def state(rig: Rig) -> dict[str, Any]:
    """Return the whole state: screens, and what the daemon says about itself over its status socket."""
    status = await rig.daemon.status() if rig.daemon.is_powered else None
    return {
        "seq": rig.changes.screen_seq,
        "slip_seq": rig.changes.slip_seq,
        "power": "on" if rig.daemon.is_powered else "off",
        "screens": screens(rig),
        "daemon": None if status is None else msgspec.to_builtins(status),
        **_status_fields(status),
        "scanner": rig.devices.scanner.kind,
        "unplugged": sorted(rig.devices.unplugged),
        "faults": [msgspec.to_builtins(fault) for fault in rig.faults.active],
        "broker": rig.broker.mode,
        "back_office": rig.back_office.mode,
        "clock_skew_s": rig.daemon.skew_s,
    }


def _status_fields(status: Status | None) -> dict[str, Any]:
    """Return the status in the words of the API; None where the daemon does not answer."""
    if status is None:
        return {"workflow_state": None, "view": None, "locale": None, "training": None, "devices": {}, "outbox": None}
    return {
        "workflow_state": status.workflow_state,
        "view": status.view,
        "locale": status.locale,
        "training": status.is_training,
        "devices": {one.name: {"online": one.is_online, "code": one.code} for one in status.devices},
        "outbox": msgspec.to_builtins(status.outbox),
    }


def info(rig: Rig) -> dict[str, Any]:
    """Return what a person needs to begin. All secrets here are of this run only."""
    operators = {one.role: {"no": one.no, "name": one.name, "pin": one.pin} for one in rig.operators}
    first = rig.back_office.users[0]
    return {
        "terminal_id": rig.terminal_id,
        "operator": operators["cashier"],
        "supervisor": operators["supervisor"],
        "backoffice": {"url": rig.back_office.url, "user": first.name, "password": first.password},
        "users": [msgspec.to_builtins(user) for user in rig.back_office.users],
        "paper_dots": 576,
    }


def slip(one: Slip) -> dict[str, Any]:
    """Return one slip without its picture."""
    text = one.text
    return {
        "id": str(one.id),
        "text": text,
        "lines": list(one.lines),
        "codes": [{"symbology": code.symbology, "data": code.data} for code in one.codes],
        "cut": one.cut,
        "is_copy": any(mark in text for mark in COPY_MARKS),
        "unknown_commands": list(one.unknown),
        "bytes": one.raw_byte_count,
        "png": f"/api/v1/slips/{one.id}.png",
    }
