"""ANSI terminals: the bench's pty, an ssh session, a terminal emulator on a panel.

Source: ECMA-48 (CUP 8.3.21, ED, SGR), DEC private modes 7 (autowrap) and 25 (cursor), ISO/IEC 2022 `ESC % G` = UTF-8.
"""

from drivers.display.cells import Run
from drivers.display.notice import in_place_of_han

# UTF-8, attributes off, no autowrap (the last cell of a line must not scroll), no cursor, clear.
_OPENING = b"\x1b%G\x1b[0m\x1b[?7l\x1b[?25l\x1b[2J"
_CLOSING = b"\x1b[?7h\x1b[?25h"


class AnsiDialect:
    """UTF-8 and cursor positions."""

    @property
    def beep(self) -> bytes:
        """Return BEL."""
        return b"\a"

    def opening(self) -> bytes:
        """Return mode settings and clear."""
        return _OPENING

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return each run behind its cursor position."""
        return "".join(f"\x1b[{run.row + 1};{run.column + 1}H{run.text}" for run in runs).encode()

    def closing(self) -> bytes:
        """Return cursor and autowrap to the user."""
        return _CLOSING


class KernelConsoleDialect(AnsiDialect):
    """The kernel's console has no Han glyphs: each would be the same box. Say so instead of showing boxes (D21)."""

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return the notice in place of a screen with wide characters, else the runs."""
        # The notice may have covered cells that the difference does not name: write the whole screen.
        shown = in_place_of_han(lines) or lines
        return super().paint([Run(row, 0, text) for row, text in enumerate(shown)], lines)
