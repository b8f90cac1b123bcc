"""The displays of the bench: an ANSI terminal (read by pyte) and a serial line display. Bytes in, text out."""

from collections.abc import Callable
from pathlib import Path

import pyte

from hil.simulators.line_display import SimLineDisplay
from hil.simulators.panel import SimPanel

__all__ = ["SimLineDisplay", "SimPanel", "SimTerminal"]


class SimTerminal(SimPanel):
    """An ANSI terminal in UTF-8 with East Asian wide characters, as an ssh client or a console with Han glyphs is."""

    def __init__(
        self, path: Path, columns: int = 40, rows: int = 12, *, on_change: Callable[[SimPanel], None] | None = None
    ) -> None:
        super().__init__(path, columns, rows, on_change=on_change)
        self._power_up()

    def lines(self) -> list[str]:
        """Return the visible text, one string a row."""
        for row in self._screen.dirty:
            if row < self.rows:
                self._rows[row] = self._row_text(row)
        self._screen.dirty.clear()
        return list(self._rows)

    def _row_text(self, row: int) -> str:
        """Return a row; pyte keeps an empty cell behind a wide character."""
        cells = self._screen.buffer[row]
        return "".join(cells[column].data for column in range(self.columns)).rstrip()

    def reverse_cells(self, row: int) -> str:
        """Return the text of `row` that is shown in reverse video (what is highlighted)."""
        cells = self._screen.buffer[row]
        return "".join(cells[column].data for column in range(self.columns) if cells[column].reverse)

    @property
    def cursor_is_hidden(self) -> bool:
        """Return whether the terminal was told to hide its cursor."""
        return bool(self._screen.cursor.hidden)

    def _power_up(self) -> None:
        self._screen = _BellScreen(self.columns, self.rows, self._bell)
        self._stream = pyte.ByteStream(self._screen)
        self._rows = [""] * self.rows

    def _feed(self, data: bytes) -> None:
        self._stream.feed(data)

    def _bell(self) -> None:
        self.beeps += 1


class _BellScreen(pyte.Screen):
    """pyte's screen, which ignores BEL, with an ear for it."""

    def __init__(self, columns: int, rows: int, on_bell: Callable[[], None]) -> None:
        self._on_bell = on_bell
        super().__init__(columns, rows)

    def bell(self, *_args: object) -> None:
        self._on_bell()
