"""The device Protocols, in UnifiedPOS words. Third-party drivers implement these and run tests/contract.

Life of every device: `open` (claim, configure, enable) → in use → `wait_lost` returns → `close`. All three are called
by `pos_agent.devices.supervisor` alone, which opens again when the device is back. Input devices put their events into
the sink that their factory was given; a driver never calls up.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from pos_agent.domain.events import DeviceName, Event
from pos_agent.domain.screen import Screen
from pos_agent.domain.slip import PrintOutcome, SlipDocument
from pos_agent.errors import DeviceError

#: Puts an event into the inbox; never blocks; a full inbox drops input with a counter, never a fact.
EventSink = Callable[[Event], None]


class Device(Protocol):
    """What the supervisor needs of any device."""

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics by UnifiedPOS name (GoodScanCount, ReceiptLinePrintedCount, …)."""

    async def open(self) -> None:
        """Claim, configure and enable the device.

        Raises:
            NoHardwareError: Not attached; the supervisor tries again.
            ClaimedError: Another process holds it; the supervisor tries again and says so.
            DeviceError: Anything else.
        """

    async def close(self) -> None:
        """Release the device; idempotent, never raises for a device that is gone, returns within 2 s."""

    async def wait_lost(self) -> DeviceError:
        """Return when an open device has gone away (hang-up, unplugged), with the reason. Cancellable."""


class Scanner(Device, Protocol):
    """A barcode scanner; puts `ScanRead` and `ScanGarbled`."""


class POSKeyboard(Device, Protocol):
    """A keypad; puts `KeyPressed`."""


@runtime_checkable
class Sounder(Protocol):
    """A scanner or keypad that can sound the error beep; a driver may leave it out."""

    def beep(self) -> bool:
        """Sound the error beep without blocking; False = it cannot now, or is not told how."""


class LineDisplay(Device, Protocol):
    """A display of columns × rows cells."""

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows)."""

    def show(self, screen: Screen) -> None:
        """Make the display show `screen`; never blocks.

        The first change goes out at once; while output is pending, later screens merge into the newest (field.md 12).
        A screen shown while the display is closed is drawn when it opens.
        """

    def beep(self) -> None:
        """Sound the error beep, where the display can; silent otherwise."""


class PrinterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a printer now; None = this printer cannot tell (no sensor is not "paper is fine").

    Attributes:
        is_online: Ready to print.
        cover_open: UnifiedPOS CoverOpen.
        rec_empty: UnifiedPOS RecEmpty.
        rec_near_end: UnifiedPOS RecNearEnd.
        drawer_open: UnifiedPOS DrawerOpened, of the cash drawer on the printer.
        code: Empty, or what a person must do: EPTR_REC_EMPTY, EPTR_COVER_OPEN, EPTR_CUTTER, E_FAILURE.
        notice: Empty, or what a person should know while it prints: ``printer_swapped``, ``paper_low`` (by count).
    """

    is_online: bool
    cover_open: bool | None = None
    rec_empty: bool | None = None
    rec_near_end: bool | None = None
    drawer_open: bool | None = None
    code: str = ""
    notice: str = ""

    @property
    def shown_code(self) -> str:
        """Return the one thing to tell a person: what stops the printer first, then what only warns."""
        if self.code or self.notice == "printer_swapped":
            return self.code or self.notice
        return "EPTR_REC_NEAR_END" if self.rec_near_end else self.notice


class PrintReport(msgspec.Struct, frozen=True, kw_only=True):
    """How sending one job ended.

    Attributes:
        outcome: CONFIRMED … SENT when all bytes were accepted; UNKNOWN when stopped inside.
        accepted_bytes: Bytes that the printer accepted. With 0 the very same job may be sent again, unmarked (D13).
        was_interrupted: Paper, cover or link stopped it inside, even if it went on later.
    """

    outcome: PrintOutcome
    accepted_bytes: int
    was_interrupted: bool = False


class POSPrinter(Device, Protocol):
    """A receipt printer. One owner: only the spooler calls `render`, `print_job` and `wait_ready`."""

    @property
    def profile_id(self) -> str:
        """Return the identity of profile and text mode; stored bytes of another profile are rendered again (D12)."""

    @property
    def status(self) -> PrinterStatus:
        """Return the newest status, without I/O."""

    def render(self, document: SlipDocument) -> bytes:
        """Return the job's bytes, from initialisation to cut. Pure.

        Raises:
            UnencodableError: A critical line cannot be shown; the slip is refused.
        """

    async def wait_ready(self) -> None:
        """Return when the printer is open, online and has paper. Cancellable."""

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        """Send one job, honouring short writes; pause at paper end or open cover and go on afterwards.

        Args:
            data: All bytes of the job.
            on_paused: Called with a code (EPTR_REC_EMPTY …) each time the job pauses.
        Raises:
            DeviceError: The link was lost before any byte was accepted; the same job may be sent again.
        """


@runtime_checkable
class ReplaceablePrinter(Protocol):
    """A printer that notices that another one was put in its place."""

    async def accept(self) -> bool:
        """Take the printer that is there for the till's own from now on; False = it was that already, or none is."""


@runtime_checkable
class CashDrawer(Protocol):
    """What has a cash drawer, for instance on the printer's connector."""

    async def open_drawer(self) -> bool:
        """Open it; False = there is none. Raises `DeviceError` if it cannot now."""


@runtime_checkable
class ToneIndicator(Protocol):
    """What can sound."""

    async def sound(self) -> bool:
        """Sound once; False = it cannot. Raises `DeviceError` if it cannot now."""
