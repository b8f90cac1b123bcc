"""A panel on HDMI: a plain file of dots that the terminal draws into, read back as text from the dots alone."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

from hil.simulators.cell_reader import read_cells
from hil.simulators.panel import SimPanel

_IN_MODIFY = 0x02  # linux/inotify.h
#: After the last write: a picture that is being drawn is no screen yet.
_SETTLE_S = 0.01
_CELL = (16, 32)
_BYTES_A_DOT = 2


class SimFramebuffer(SimPanel):
    """RGB565, 16 × 32 dots a cell.

    Attributes:
        geometry: What the terminal's configuration must say of a plain file.
    """

    def __init__(
        self, path: Path, columns: int = 40, rows: int = 12, *, on_change: Callable[[SimPanel], None] | None = None
    ) -> None:
        super().__init__(path, columns, rows, on_change=on_change)
        self._width = columns * _CELL[0]
        self._band_bytes = self._width * _CELL[1] * _BYTES_A_DOT
        self.geometry = f"{self._width}x{rows * _CELL[1]}x{_BYTES_A_DOT * 8}"
        self._watch = -1
        self._settling: asyncio.TimerHandle | None = None
        self._power_up()

    @property
    def is_plugged(self) -> bool:
        """Return whether the panel is attached."""
        return self._watch >= 0

    def plug(self) -> None:
        """Attach: black."""
        if self.is_plugged:
            return
        self._power_up()
        self.path.write_bytes(bytes(self._band_bytes * self.rows))
        self._watch = _watch(self.path)
        asyncio.get_running_loop().add_reader(self._watch, self._on_drawn)
        self._note_change()

    def unplug(self) -> None:
        """Pull the cable: the node goes, the picture is gone."""
        if not self.is_plugged:
            return
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        asyncio.get_running_loop().remove_reader(self._watch)
        os.close(self._watch)
        self._watch = -1
        self.path.unlink(missing_ok=True)
        self._power_up()
        self._note_change()

    def lines(self) -> list[str]:
        """Return the text that the dots show, one string a row; only rows that were drawn are read again."""
        data = self.path.read_bytes() if self.is_plugged else b""
        for row in range(self.rows):
            band = data[row * self._band_bytes : (row + 1) * self._band_bytes]
            if band and band != self._bands[row]:
                self._bands[row] = band
                dots = band[::_BYTES_A_DOT]
                self._rows[row] = read_cells(dots, width=self._width, size=(self.columns, 1), cell=_CELL)[0]
        return list(self._rows)

    def _power_up(self) -> None:
        self._rows = [""] * self.rows
        self._bands = [b""] * self.rows

    def _feed(self, data: bytes) -> None:
        """Take no bytes: a panel has no port."""

    def _on_drawn(self) -> None:
        self.raw_count += len(os.read(self._watch, 65_536)) // 16
        self.received_at = time.monotonic()
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(_SETTLE_S, self._on_settled)

    def _on_settled(self) -> None:
        self._settling = None
        left_s = self.received_at + _SETTLE_S - time.monotonic()
        if left_s > 0:
            self._settling = asyncio.get_running_loop().call_later(left_s, self._on_settled)
        else:
            self._note_change()


def _watch(path: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY) < 0:
        raise OSError(ctypes.get_errno(), "inotify", str(path))
    return fd
