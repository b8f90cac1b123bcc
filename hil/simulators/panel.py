"""What every simulated display has: a port, a change counter, waiting for a change. Knows no protocol."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from hil.simulators.port import SerialPort


class SimPanel(ABC):
    """A display on a pty of columns × rows cells.

    Attributes:
        seq: Grows by one each time the visible text changes; survives unplugging.
        raw_count: Bytes received so far.
        beeps: Error beeps (BEL) so far.
        changed_at: `time.monotonic()` of the last visible change, in seconds.
        received_at: `time.monotonic()` of the last bytes, in seconds.
        on_change: Called after each visible change, in the event loop.
    """

    def __init__(
        self, path: Path, columns: int, rows: int, *, on_change: Callable[["SimPanel"], None] | None = None
    ) -> None:
        self.columns, self.rows = columns, rows
        self.seq = self.raw_count = self.beeps = 0
        self.changed_at = self.received_at = 0.0
        self.on_change = on_change
        self._port = SerialPort(path, on_data=self._receive, window=(columns, rows))
        self._shown: list[str] = [""] * rows
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def path(self) -> Path:
        """Return the symlink that the terminal opens."""
        return self._port.path

    @property
    def is_plugged(self) -> bool:
        """Return whether the display is attached."""
        return self._port.is_plugged

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows)."""
        return self.columns, self.rows

    async def start(self) -> None:
        """Plug in."""
        self.plug()

    def plug(self) -> None:
        """Attach: powered up blank, at the same symlink."""
        if self.is_plugged:
            return
        self._port.plug()
        self._power_up()
        self._note_change()

    def unplug(self) -> None:
        """Pull the cable: whoever has it open gets a hang-up; the picture is gone."""
        if not self.is_plugged:
            return
        self._port.unplug()
        self._power_up()
        self._note_change()

    def close(self) -> None:
        """Take the display away for good; idempotent."""
        self.unplug()

    @abstractmethod
    def lines(self) -> list[str]:
        """Return the visible text, one string a row, wide characters once, without trailing blanks."""

    async def wait_change(self, since: int, timeout_s: float) -> int:
        """Return `seq` as soon as it is above `since`, or unchanged after `timeout_s` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.seq <= since:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                async with asyncio.timeout_at(deadline):
                    await waiter
            except TimeoutError:
                break
            finally:
                self._waiters.remove(waiter)
        return self.seq

    @abstractmethod
    def _power_up(self) -> None:
        """Forget everything shown and set."""

    @abstractmethod
    def _feed(self, data: bytes) -> None:
        """Interpret bytes from the terminal."""

    def _receive(self, data: bytes) -> None:
        self.raw_count += len(data)
        self.received_at = time.monotonic()
        self._feed(data)
        self._note_change()

    def _note_change(self) -> None:
        shown = self.lines()
        if shown == self._shown:
            return
        self._shown = shown
        self.seq += 1
        self.changed_at = time.monotonic()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self.on_change is not None:
            self.on_change(self)
