"""What a display understands: the bytes of one family of displays. Implementations are pure and keep no state."""

from typing import Protocol

from drivers.display.cells import Run


class Dialect(Protocol):
    """Turns changed cells into bytes."""

    @property
    def beep(self) -> bytes:
        """Return the bytes of the error beep; empty where the display has none."""

    def opening(self) -> bytes:
        """Return what initialises and clears the display; afterwards nothing that was shown counts."""

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return the bytes that write `runs`; `lines` is the whole screen, for displays that take whole lines only."""

    def closing(self) -> bytes:
        """Return what hands the display back; its content stays."""
