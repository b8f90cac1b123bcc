"""What a suite needs of a device under test: the driver, and a hand that plugs, scans, presses and looks.

Make a subclass for your driver, and a fixture of the suite's name that gives it; see `drivers.contract`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from pos_agent.devices.interfaces import Device, LineDisplay, POSKeyboard, POSPrinter, Scanner
from pos_agent.domain.events import Event, Key


class DeviceRig(ABC):
    """What every device contract needs.

    Attributes:
        patience_s: How long a suite waits for what happens by itself; a hand of flesh needs longer.
    """

    device: Device
    patience_s = 5.0

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def start(self) -> None:  # noqa: B027 - a rig that needs nothing says nothing
        """Make what the device needs around it; nothing is plugged in yet."""

    async def stop(self) -> None:  # noqa: B027 - as above
        """Take it away."""

    @abstractmethod
    def plug(self) -> None:
        """Plug the device in."""

    @abstractmethod
    def unplug(self) -> None:
        """Pull its cable; nothing if it is out already."""


RigT = TypeVar("RigT", bound=DeviceRig)


class ScannerRig(DeviceRig):
    """A scanner, and codes before it."""

    device: Scanner

    @abstractmethod
    async def scan(self, label: str) -> None:
        """Have it read a code."""


class KeypadRig(DeviceRig):
    """A keypad, and a finger.

    Attributes:
        keys: Every key that this keypad has.
    """

    device: POSKeyboard
    keys: Sequence[Key] = tuple(Key)

    @abstractmethod
    async def press(self, keys: Sequence[Key]) -> None:
        """Have keys pressed, in order."""


class DisplayRig(DeviceRig):
    """A display, and an eye."""

    device: LineDisplay
    rows = 4

    @abstractmethod
    def lines(self) -> list[str]:
        """Return what a person sees, trailing spaces stripped."""


class PrinterRig(DeviceRig):
    """A printer, its paper, and an eye.

    Attributes:
        filler: Comes before a slip whose paper ends inside: more bytes than any kernel or printer keeps, and no paper.
        stop_codes: What the printer may say when its paper ends.
    """

    device: POSPrinter
    filler = b"\x1ba\x00" * 30_000
    stop_codes = frozenset({"EPTR_REC_EMPTY"})

    @abstractmethod
    async def see_printed_once(self, data: bytes) -> None:
        """Return once the job is out, whole and once.

        Raises:
            TimeoutError: It is not.
        """

    @abstractmethod
    def end_paper_after(self, count: int) -> None:
        """Let the paper end when the printer has accepted `count` more bytes, or soon."""

    @abstractmethod
    async def refill(self) -> None:
        """Put in a new roll and shut the cover."""


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
