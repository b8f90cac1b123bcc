"""What a suite needs of a device under test: the driver, and a hand that plugs, scans, presses and looks.

Make a subclass for your driver, and a fixture of the suite's name that gives it; see `drivers.contract`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from pos_agent.devices.interfaces import Device, LineDisplay, POSKeyboard, POSPrinter, Scanner
from pos_agent.domain.events import Event, Key


class DeviceRig:
    """What every device contract needs."""

    device: Device

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def start(self) -> None:
        """Make what the device needs around it; nothing is plugged in yet."""

    async def stop(self) -> None:
        """Take it away."""

    def plug(self) -> None:
        raise NotImplementedError

    def unplug(self) -> None:
        raise NotImplementedError


RigT = TypeVar("RigT", bound=DeviceRig)


class ScannerRig(DeviceRig):
    device: Scanner

    async def scan(self, label: str) -> None:
        raise NotImplementedError


class KeypadRig(DeviceRig):
    device: POSKeyboard
    #: Every key that this keypad has.
    keys: Sequence[Key] = tuple(Key)

    async def press(self, keys: Sequence[Key]) -> None:
        raise NotImplementedError


class DisplayRig(DeviceRig):
    device: LineDisplay
    rows = 4

    def lines(self) -> list[str]:
        """Return what a person sees, trailing spaces stripped."""
        raise NotImplementedError


class PrinterRig(DeviceRig):
    device: POSPrinter

    def printed(self) -> bytes:
        """Return every byte that the printer accepted so far, in order."""
        raise NotImplementedError

    def end_paper_after(self, count: int) -> None:
        """Let the paper end when the printer has accepted `count` more bytes."""
        raise NotImplementedError

    def refill(self) -> None:
        raise NotImplementedError


async def run_rig(rig: RigT) -> AsyncIterator[RigT]:
    """Start a rig, give it, take it away: the body of a fixture."""
    await rig.start()
    yield rig
    await rig.device.close()
    rig.unplug()
    await rig.stop()


async def settle() -> None:
    """Let the event loop look at every descriptor twice."""
    for _ in range(4):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], *, timeout_s: float = 5.0) -> None:
    """Return as soon as `condition()` is true.

    Raises:
        TimeoutError: It did not become true in time.
    """
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - any condition, not one that could set an event
            await asyncio.sleep(0.001)
