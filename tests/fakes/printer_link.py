"""A printer link in memory: opened, closed, and gone when the cable is pulled. What it says is its children's."""

import asyncio

from pos_agent.errors import DeviceError, NoHardwareError, OfflineError


class MemoryLink:
    """The half of `drivers.escpos.link.PrinterLink` that is the same whatever stands behind it."""

    identity = "memory"
    unsent_bytes = 0

    def __init__(self) -> None:
        self.is_plugged = True
        self._is_open = False
        self._lost = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def unplug(self) -> None:
        self.is_plugged = self._is_open = False
        self._lost.set()

    async def open(self) -> None:
        if not self.is_plugged:
            raise NoHardwareError("printer", "not attached")
        self._is_open = True
        self._lost.clear()

    async def close(self) -> None:
        self._is_open = False

    async def wait_lost(self) -> DeviceError:
        await self._lost.wait()
        return OfflineError("printer", "unplugged")

    def _check(self) -> None:
        if not self._is_open:
            raise OfflineError("printer", "gone")
