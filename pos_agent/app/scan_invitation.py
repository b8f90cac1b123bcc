"""Reads an invitation with the till's own scanner: 150 characters that nobody wants to type."""

import asyncio
from collections.abc import Callable

from drivers.registry import build_devices
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import DevicesConfig, ScannerConfig
from pos_agent.domain.events import DeviceStatusChanged, Event, ScanRead
from pos_agent.protocol.enrolment import Invitation, parse_invitation
from pos_agent.settings import DataFinder


async def scan_invitation(scanner: ScannerConfig, data: DataFinder, *, tell: Callable[[str], None]) -> Invitation:
    """Return the first invitation that is scanned; other codes are told, never shown.

    Args:
        scanner: Which one; the daemon must not run.
        data: Finder of shipped data.
        tell: Takes words for the technician.
    """
    seen: asyncio.Queue[Event] = asyncio.Queue()
    devices = build_devices(DevicesConfig(scanner=scanner), sink=seen.put_nowait, find_data=data.find)
    keeping = asyncio.create_task(DeviceSupervisor(devices, sink=seen.put_nowait).run(), name="scanner")
    try:
        while True:
            event = await seen.get()
            if isinstance(event, DeviceStatusChanged):
                tell("scan the invitation" if event.is_online else f"the scanner is not there: {event.code}")
            if not isinstance(event, ScanRead):
                continue
            try:
                return parse_invitation(event.scan_data_label)
            except ValueError as error:
                tell(f"this code {error}; scan the one of the back office")
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
