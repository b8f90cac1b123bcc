"""The till's own scanner and printer at enrolment: nobody types 150 characters, or writes down a fingerprint."""

import asyncio
from collections.abc import Callable

from drivers.registry import build_devices
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import DevicesConfig
from pos_agent.domain.events import DeviceStatusChanged, Event, ScanRead
from pos_agent.domain.slip import Align, Block, Rule, SlipDocument, SlipKind, Text
from pos_agent.errors import DeviceError, UnencodableError
from pos_agent.i18n import text
from pos_agent.protocol.enrolment import Invitation, parse_invitation
from pos_agent.settings import DataFinder

#: Paper and cover may be seen to meanwhile; the fingerprint is on the screen too.
_PRINT_S = 20.0


async def scan_invitation(devices: DevicesConfig, data: DataFinder, *, tell: Callable[[str], None]) -> Invitation:
    """Return the first invitation that is scanned; other codes are told, never shown.

    Args:
        devices: Names the scanner; the daemon must not run.
        data: Finder of shipped data.
        tell: Takes words for the technician.
    """
    seen: asyncio.Queue[Event] = asyncio.Queue()
    alone = DevicesConfig(scanner=devices.scanner)
    built = build_devices(alone, sink=seen.put_nowait, find_data=data.find)
    keeping = asyncio.create_task(DeviceSupervisor(built, sink=seen.put_nowait).run(), name="scanner")
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


async def print_fingerprint(
    devices: DevicesConfig, data: DataFinder, *, terminal_id: str, fingerprint: str, tell: Callable[[str], None]
) -> None:
    """Print what the operator compares; a printer that does not is told, and nothing more."""
    alone = DevicesConfig(printer=devices.printer)
    printer = build_devices(alone, sink=lambda _event: None, find_data=data.find).printer
    if printer is None:
        return
    try:
        async with asyncio.timeout(_PRINT_S):
            await printer.open()
            slip = printer.render(fingerprint_slip(terminal_id, fingerprint))
            await printer.print_job(slip, on_paused=lambda code: tell(f"the printer waits: {code}"))
    except (DeviceError, UnencodableError, TimeoutError) as error:
        tell(f"not printed: {str(error) or 'the printer does not answer'}")
    finally:
        await printer.close()


def fingerprint_slip(terminal_id: str, fingerprint: str) -> SlipDocument:
    """Return the slip: who asks, and eight groups of the key, four a line."""
    groups = fingerprint.split()
    lines = [" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]
    blocks: list[Block] = [Text(text("enrol.title", locale), Align.CENTER, bold=True) for locale in ("zh-CN", "en")]
    blocks += [Rule(), Text(terminal_id, Align.CENTER, is_critical=True)]
    blocks += [Text(line, Align.CENTER, bold=True, is_critical=True) for line in lines]
    blocks += [Rule(), *(Text(text("enrol.compare", locale), Align.CENTER) for locale in ("zh-CN", "en"))]
    return SlipDocument(kind=SlipKind.APPROVAL, blocks=tuple(blocks))
