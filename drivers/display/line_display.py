"""A display of cells behind a descriptor: `pos_agent.devices.interfaces.LineDisplay`.

The first change goes out at once. While it is under way (a short write, or bytes that a slow line has not sent), later
screens merge into the newest, which follows as soon as the way is clear (field.md 12).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from drivers.display.cells import changed_runs, fitted
from drivers.display.dialect import Dialect
from drivers.links.fd_link import FdLink
from drivers.links.node import Port
from drivers.links.opener import Opener
from pos_agent.domain.events import DeviceName
from pos_agent.domain.screen import Screen
from pos_agent.errors import DeviceError

#: Start bit, 8 data bits, stop bit.
_BITS_PER_BYTE = 10


class CellDisplay:
    """Shows screens on a terminal or a serial line display.

    Args:
        name: Operator or customer display.
        port: Where it is.
        dialect: Called after each opening; says which bytes the display understands.
        size: (columns, rows) of the device.
        compose: What the device can show of a screen, a line for each of its rows; None = the screen's own lines.
        screen_size: Size of the screens that `compose` is given; None = `size`.
        baud: Of a serial line, for its pace; None = as fast as the reader reads.
    Counters: ScreenShownCount; ScreenMergedCount (replaced by a newer one before it was sent).
    """

    def __init__(
        self,
        name: DeviceName,
        *,
        port: Port,
        dialect: Callable[[], Dialect],
        size: tuple[int, int],
        opener: Opener,
        baud: int | None = None,
        compose: Callable[[Screen], Sequence[str]] | None = None,
        screen_size: tuple[int, int] | None = None,
    ) -> None:
        self._name = name
        self._choose_dialect = dialect
        self._dialect = dialect()
        self._size = size
        self._screen_size = screen_size or size
        self._compose = compose
        self._baud = baud
        self._link = FdLink(name, port, opener=opener, on_bytes=_ignore, on_drained=self._flush)
        self._wanted: tuple[str, ...] | None = None
        self._shown: tuple[str, ...] | None = None
        self._pace: asyncio.TimerHandle | None = None
        self._counters: Counter[str] = Counter(ScreenShownCount=0)
        self._is_waiting = False

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return self._name

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics."""
        return self._counters

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows) of the screens that it takes."""
        return self._screen_size

    async def open(self) -> None:
        """Open, clear, and draw the newest screen."""
        await self._link.open()
        self._dialect = self._choose_dialect()
        self._shown = None
        self._link.write(self._dialect.opening())
        self._flush()

    async def close(self) -> None:
        """Hand the display back; its content stays."""
        self._stop_pace()
        self._link.write(self._dialect.closing())
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the terminal hung up."""
        return await self._link.wait_lost()

    def show(self, screen: Screen) -> None:
        """Show a screen: at once if nothing is under way, else the newest one afterwards."""
        shown = screen.lines if self._compose is None else self._compose(screen)
        if self._is_waiting:
            self._counters["ScreenMergedCount"] += 1
        self._wanted = fitted(shown, self._size)
        self._is_waiting = True
        self._flush()

    def beep(self) -> None:
        """Sound the error beep, unless output is stuck."""
        if self._dialect.beep and not self._link.is_pending:
            self._link.write(self._dialect.beep)

    def _flush(self) -> None:
        if self._wanted is None or not self._link.is_open or self._link.is_pending or self._pace is not None:
            return
        self._is_waiting = False
        runs = changed_runs(self._shown, self._wanted)
        self._shown = self._wanted
        if runs:
            self._counters["ScreenShownCount"] += 1
            self._link.write(self._dialect.paint(runs, self._wanted))
            self._wait_for_line()

    def _wait_for_line(self) -> None:
        """Hold later screens back until a slow line has sent this one."""
        backlog = self._link.kernel_backlog_bytes if self._baud else 0
        if backlog and self._baud:
            delay_s = backlog * _BITS_PER_BYTE / self._baud
            self._pace = asyncio.get_running_loop().call_later(delay_s, self._on_paced)

    def _on_paced(self) -> None:
        self._pace = None
        self._wait_for_line()
        self._flush()

    def _stop_pace(self) -> None:
        if self._pace is not None:
            self._pace.cancel()
            self._pace = None


def _ignore(_: bytes) -> None:
    """Drop what a person types on the terminal or a display answers; nobody asked."""
