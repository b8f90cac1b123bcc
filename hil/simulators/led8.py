"""An eight-digit LED pole: digits with points, and the lamps 单价 总计 收款 找零. Bytes in, figures out.

Source: LED8N manual as read in field.md 21: `ESC Q A d…d CR`, `STX L d1d2d3d4`, `ESC s n`, `ESC @`, CLR. A point lights
beside the digit before it; more than eight digits lose the first ones, as on the device.
"""

from collections.abc import Callable
from pathlib import Path

from hil.simulators.panel import SimPanel

LAMPS = ("单价", "总计", "收款", "找零")
_DIGITS = 8
_SHOWN = frozenset(b"0123456789.- ")


class SimLed8(SimPanel):
    """A pole on a pty; `lines` gives the figures and the lamps that are lit.

    Attributes:
        unknown: Bytes that it does not know, as hex, newest last, at most 100.
    """

    def __init__(self, path: Path, *, on_change: Callable[[SimPanel], None] | None = None) -> None:
        super().__init__(path, _DIGITS, 2, on_change=on_change)
        self._power_up()

    def lines(self) -> list[str]:
        """Return the figures and the names of the lamps."""
        return [self._figures, " ".join(name for name, is_lit in zip(LAMPS, self._lamps, strict=True) if is_lit)]

    def _power_up(self) -> None:
        self.unknown: list[str] = []
        self._pending = b""
        self._figures = ""
        self._lamps = [False] * len(LAMPS)

    def _feed(self, data: bytes) -> None:
        self._pending += data
        while self._pending:
            used = self._step(self._pending)
            if used == 0:
                return
            self._pending = self._pending[used:]

    def _step(self, head: bytes) -> int:
        """Interpret what stands at the beginning; return the bytes used, 0 when more must come first."""
        if head[0] == 0x0C:
            self._figures = ""
            return 1
        if head[0] == 0x02:
            return self._set_lamps(head)
        if head[0] == 0x1B:
            return self._escape(head)
        return self._unknown(head[:1])

    def _set_lamps(self, head: bytes) -> int:
        if len(head) < 6:
            return 0
        if head[1:2] != b"L" or not set(head[2:6]) <= set(b"01"):
            return self._unknown(head[:2])
        self._lamps = [digit == 0x31 for digit in head[2:6]]
        return 6

    def _escape(self, head: bytes) -> int:
        if len(head) < 2:
            return 0
        match head[1:2]:
            case b"@":
                self._figures, self._lamps = "", [False] * len(LAMPS)
                return 2
            case b"s":
                if len(head) < 3:
                    return 0
                self._lamps = [str(number) == chr(head[2]) for number in range(1, 5)]
                return 3
            case b"Q":
                return self._show(head)
            case _:
                return self._unknown(head[:2])

    def _show(self, head: bytes) -> int:
        end = head.find(b"\r")
        if end < 0:
            return 0
        text = head[3:end]
        if head[2:3] != b"A" or not set(text) <= _SHOWN:
            return self._unknown(head[: end + 1])
        figures = text.decode("ascii").strip()
        while len(figures) - figures.count(".") > _DIGITS:
            figures = figures[1:]
        self._figures = figures
        return end + 1

    def _unknown(self, data: bytes) -> int:
        self.unknown.append(data.hex(" "))
        del self.unknown[:-100]
        return len(data)
