"""What came through a till's cables while all was being broken: scans that its driver counted, devices in use again.

Asked of the daemon's own status before and after; a till that was switched off meanwhile, or a cable that was pulled,
makes no statement (`Frame.AWAY`).
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from hil.chaos.history import History
from hil.chaos.tally import Frame
from hil.chaos.till import Till
from pos_agent.protocol.control import DeviceStatus

#: A busy machine may be this late; hardware is not.
_LATEST_S: Final = 4.0
_LOOK_S: Final = 0.02
_READ: Final = ("GoodScanCount", "RereadScanCount")
_REFUSED: Final = ("CommunicationErrorCount",)


async def scan(till: Till, history: History, code: str) -> None:
    """Scan, and note whether the driver counted it.

    Raises:
        PortUnpluggedError: The cable is pulled.
    """
    before, wire = await _status(till, "scanner"), _wire(till)
    was_open = till.devices.scanner.is_open
    outcome = Frame.AWAY
    try:
        await till.devices.scanner.send(code.encode())
        if was_open and before is not None:
            outcome = await _outcome(till, before, wire)
    finally:
        history.add("frame", till=till.name, outcome=outcome)


async def _outcome(till: Till, before: tuple[int, DeviceStatus], wire: str) -> Frame:
    deadline = time.monotonic() + _LATEST_S
    while time.monotonic() < deadline:
        after = await _status(till, "scanner")
        if after is None or after[0] != before[0] or _wire(till) != wire:
            return Frame.AWAY
        for names, outcome in ((_READ, Frame.READ), (_REFUSED, Frame.REFUSED)):
            if _sum(after[1], names) > _sum(before[1], names):
                return outcome
        await asyncio.sleep(_LOOK_S)
    return Frame.MISSING


async def plug(till: Till, history: History, name: str) -> None:
    """Put a cable back, and note how long the till took to use the device, if it had missed it."""
    before = await _status(till, name)
    till.devices.plug(name)
    if before is None or before[1].is_online:
        return
    started_s = time.monotonic()
    while time.monotonic() < started_s + _LATEST_S:
        after = await _status(till, name)
        if after is None or after[0] != before[0] or name in till.devices.unplugged:
            return
        if after[1].is_online:
            break
        await asyncio.sleep(_LOOK_S)
    history.add("reopened", till=till.name, device=name, seconds=round(time.monotonic() - started_s, 2))


async def _status(till: Till, name: str) -> tuple[int, DeviceStatus] | None:
    """Return the daemon's process id and what it says about a device; None if it does not answer."""
    status = await till.pos.status()
    return None if status is None else next(((status.pid, one) for one in status.devices if one.name == name), None)


def _wire(till: Till) -> str:
    """Return which pty the scanner is now: another one after each plugging in."""
    path = till.devices.scanner.path
    return str(Path(path).readlink()) if path.is_symlink() else ""


def _sum(device: DeviceStatus, names: tuple[str, ...]) -> int:
    return sum(device.counters.get(name, 0) for name in names)
