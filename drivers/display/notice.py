"""What a display without Han glyphs shows the cashier instead of boxes: what is wrong and what to do."""

from collections.abc import Sequence
from unicodedata import east_asian_width

from pos_agent.domain.screen import Screen, cell_width, pad

_NOTICE_40 = ("No Chinese on this display.", "Language: FN 4, or a display", "with Chinese characters.")
_NOTICE_20 = ("No Chinese here.", "Language: FN 4")


def in_place_of_han(lines: Sequence[str]) -> tuple[str, ...] | None:
    """Return what to show instead of a screen with Han in it, as many and as wide lines; None = the screen is fine.

    Full-width signs such as ￥ alone make no screen Chinese.
    """
    if not any(map(_has_han, lines)):
        return None
    width = cell_width(lines[0])
    notice = _NOTICE_20 if width <= 20 else _NOTICE_40
    return tuple(pad(text, width) for text in (*notice, *[""] * len(lines))[: len(lines)])


def without_han(screen: Screen) -> tuple[str, ...]:
    """Return the lines of a screen, or the notice in their place."""
    return in_place_of_han(screen.lines) or screen.lines


def _has_han(line: str) -> bool:
    return not line.isascii() and any(east_asian_width(character) == "W" for character in line)
