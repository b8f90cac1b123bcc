"""Eight-digit LED poles (LED8), the customer display of most counters in China: figures and four lamps, no words.

Source: LED8N manual as read in field.md 21: 2400 8N1; `ESC Q A d…d CR` (1B 51 41 … 0D) shows digits, point and minus;
`STX L d1d2d3d4` (02 4C) sets the lamps 单价/总计/收款/找零, ``1`` on, ``0`` off; other makes take `ESC s n` (1B 73)
with one lamp, ``0`` = none. A point shares the place of the digit before it.

A pole cannot say what the amount is, so the lamps say only what is certain: 总计 while a refund is asked for, 找零
(money for the customer) when it has been paid back. An amount that does not fit is not shown in part.
"""

import re
from enum import StrEnum

from drivers.display.cells import Run
from pos_agent.domain.screen import Screen

DIGITS = 8
#: Cells that a screen is composed into: digits with their point, and below them the lamp.
PLACES = (DIGITS + 1, 2)
_CLEAR = b"\x0c"
_INITIALISE = b"\x1b@"
_AMOUNT = re.compile(r"(?<![\d.])\d+\.\d{2}(?![\d.])")
_DASHES = "-" * DIGITS
#: View of the customer's screen whose amount has been paid to the customer.
_PAID_VIEWS = frozenset({"customer.succeeded"})


class Lamp(StrEnum):
    """Lamps by their number on the wire."""

    NONE = "0"
    PRICE = "1"
    TOTAL = "2"
    RECEIVED = "3"
    CHANGE = "4"


def compose(screen: Screen) -> tuple[str, str]:
    """Return what a pole shows of a screen: eight digit places (the point takes none) and the lamp."""
    found = _AMOUNT.search(" ".join(screen.lines))
    if found is None:
        return "", Lamp.NONE
    amount = found.group()
    lamp = Lamp.CHANGE if screen.view in _PAID_VIEWS else Lamp.TOTAL
    return (amount if len(amount) - 1 <= DIGITS else _DASHES), lamp


class Led8Dialect:
    """Digits as a whole, lamps as a whole; the first line is the digits, the second the lamp.

    Args:
        has_lamp_command: True for `STX L`, False for `ESC s n`.
    """

    def __init__(self, *, has_lamp_command: bool = True) -> None:
        self._has_lamp_command = has_lamp_command

    @property
    def beep(self) -> bytes:
        """Return nothing: these poles have no buzzer."""
        return b""

    def opening(self) -> bytes:
        """Return initialise, clear, lamps off."""
        return _INITIALISE + _CLEAR + self._lamp(Lamp.NONE)

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return the digits if they changed, then the lamp if it changed."""
        rows = {run.row for run in runs}
        painted = b""
        if 0 in rows:
            digits = lines[0].strip()
            painted += b"\x1bQA" + digits.encode("ascii") + b"\r" if digits else _CLEAR
        if 1 in rows or painted == _CLEAR:
            painted += self._lamp(Lamp(lines[1].strip() or Lamp.NONE))
        return painted

    def closing(self) -> bytes:
        """Return nothing: the content stays."""
        return b""

    def _lamp(self, lamp: Lamp) -> bytes:
        if not self._has_lamp_command:
            return b"\x1bs" + lamp.value.encode("ascii")
        lamps = "".join("1" if str(number) == lamp.value else "0" for number in range(1, 5))
        return b"\x02L" + lamps.encode("ascii")
