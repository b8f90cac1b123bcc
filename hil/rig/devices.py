"""The simulated devices of the bench, by role; the daemon opens them as it would real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hil.rig.scanners import BenchScanner
from hil.simulators.display import SimLineDisplay, SimTerminal
from hil.simulators.framebuffer import SimFramebuffer
from hil.simulators.keypad import SimKeypad
from hil.simulators.printer import SimPrinter

#: USB ids of the simulated printer come from its descriptors.
OPERATOR_SIZES = {"40x12": (40, 12), "20x4": (20, 4), "framebuffer": (40, 12)}
CUSTOMER_SIZE = (20, 2)


class Display(Protocol):
    """What the bench needs of a simulated display."""

    columns: int
    rows: int

    def lines(self) -> list[str]:
        """Return what is shown."""


class DeviceSet:
    """All devices of one till.

    Args:
        folder: Holds the device nodes; short enough for Unix sockets.
        operator_size: ``40x12`` (a terminal), ``20x4`` (a serial display) or ``framebuffer`` (a panel of dots).
        speed: How many times faster than real paper moves.
        printer_link: How the printer is connected: ``usb``, ``usblp``, ``serial`` or ``tcp``.
        on_change: Called with a role after a display changed or a slip came out (role ``printer``).
    """

    def __init__(
        self,
        folder: Path,
        *,
        operator_size: str,
        speed: float,
        on_change: Callable[[str], None],
        printer_link: str = "usb",
    ) -> None:
        self.folder = folder
        columns, rows = OPERATOR_SIZES[operator_size]
        self.operator_size = (columns, rows)
        self.scanner = BenchScanner(folder)
        self.keypad = SimKeypad(folder / "keypad")
        self.operator_display: SimTerminal | SimLineDisplay | SimFramebuffer
        if operator_size == "40x12":
            self.operator_display = SimTerminal(folder / "operator", columns, rows)
        elif operator_size == "framebuffer":
            self.operator_display = SimFramebuffer(folder / "operator", columns, rows)
        else:
            self.operator_display = SimLineDisplay(folder / "operator", columns, rows)
        self.customer_display = SimLineDisplay(folder / "customer", *CUSTOMER_SIZE)
        self.printer_socket = folder / "printer.sock"
        self.printer_link = printer_link
        link = "serial-rtscts" if printer_link == "serial" else printer_link
        self.printer = SimPrinter(self.printer_socket, width_dots=576, speed_factor=speed, link=link)
        self.operator_display.on_change = lambda _panel: on_change("operator_display")
        self.customer_display.on_change = lambda _panel: on_change("customer_display")
        self.printer.on_slip = lambda _slip: on_change("printer")
        self.unplugged: set[str] = set()

    @property
    def by_name(self) -> dict[str, Any]:
        """Return the devices by the role names of `pos_agent.domain.events.DeviceName`."""
        return {
            "scanner": self.scanner,
            "printer": self.printer,
            "keypad": self.keypad,
            "operator_display": self.operator_display,
            "customer_display": self.customer_display,
        }

    async def start(self) -> None:
        """Make the device nodes."""
        for device in self.by_name.values():
            await device.start()

    async def close(self) -> None:
        """Remove the device nodes."""
        for device in self.by_name.values():
            if (closing := device.close()) is not None:
                await closing

    def unplug(self, name: str) -> None:
        """Pull a device's cable."""
        self.by_name[name].unplug()
        self.unplugged.add(name)

    def plug(self, name: str) -> None:
        """Put a device's cable back: it comes up at a new address."""
        if name in self.unplugged:
            self.by_name[name].plug()
            self.unplugged.discard(name)

    def darken(self) -> None:
        """Let the displays lose their picture, as without power."""
        for display in (self.operator_display, self.customer_display):
            if display.is_plugged:
                display.unplug()
                display.plug()

    async def reset(self) -> None:
        """Make the devices as new: everything plugged in, nothing unread, unprinted or on paper. No daemon may run."""
        self.unplugged.clear()
        self.scanner.choose("plain")
        for device in (self.scanner, self.keypad, self.operator_display, self.customer_display):
            device.unplug()
            device.plug()
        await self.printer.power_cycle()
        self.printer.refill()
        self.printer.tear()
        self.printer.slips.clear()
