"""Which of the codes that a decoder found count as scanned. Pure: the caller passes the time.

A wrong 1-D read with a valid check digit is rare but real (3 % of blurred EAN-13, devices.md section 7): such a code
counts only when read twice, alike, within 500 ms (D26). A code that stays in view is one scan.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

#: Source: devices.md section 7.
EQUAL_WITHIN_S: Final = 0.5


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """A code in a picture; `repr` hides what it holds (it may be a payment code).

    Attributes:
        identifier: AIM identifier (ISO/IEC 15424), such as ``]Q1``.
        data: Its bytes; which encoding they are in is decided later.
        is_linear: A 1-D code.
        centre: (x, y) in dots.
    """

    identifier: str
    data: bytes
    is_linear: bool
    centre: tuple[float, float] = (0.0, 0.0)

    def __repr__(self) -> str:
        """Show kind and length only."""
        return f"Symbol(identifier={self.identifier!r}, length={len(self.data)})"


def nearest(symbols: Sequence[Symbol], middle: tuple[float, float]) -> Symbol | None:
    """Return the code that the cashier aims at: the one nearest to the middle of the picture."""

    def distance(symbol: Symbol) -> float:
        return (symbol.centre[0] - middle[0]) ** 2 + (symbol.centre[1] - middle[1]) ** 2

    return min(symbols, key=distance, default=None)


class Vote:
    """Remembers by keyed hashes only, so that no payment code stays in memory for its sake.

    Args:
        reread_s: A code counts again only when it was out of view for this long.
    """

    def __init__(self, *, reread_s: float) -> None:
        self._reread_s = reread_s
        self._candidate: int | None = None
        self._candidate_at_s = 0.0
        self._counted: int | None = None
        self._seen_at_s = 0.0

    def counts(self, symbol: Symbol, now_s: float) -> bool:
        """Return whether this read is a scan."""
        key = hash((symbol.identifier, symbol.data))
        if key == self._counted and now_s - self._seen_at_s < self._reread_s:
            self._seen_at_s = now_s
            return False
        if symbol.is_linear and not self._is_second(key, now_s):
            return False
        self._candidate = None
        self._counted, self._seen_at_s = key, now_s
        return True

    def nothing_new(self, now_s: float) -> None:
        """Say that the picture has not changed since the last frame: what was in view still is."""
        if self._counted is not None and now_s - self._seen_at_s < self._reread_s:
            self._seen_at_s = now_s

    def _is_second(self, key: int, now_s: float) -> bool:
        is_second = key == self._candidate and now_s - self._candidate_at_s <= EQUAL_WITHIN_S
        self._candidate, self._candidate_at_s = key, now_s
        return is_second
