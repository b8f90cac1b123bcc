"""A screen of text in cells, and the width of characters in cells (D21, screens.md section 3)."""

from unicodedata import east_asian_width

import msgspec


class Screen(msgspec.Struct, frozen=True):
    """What a display shows.

    Attributes:
        lines: Exactly `rows` strings, each exactly `columns` cells wide (padded with spaces).
        view: Name of the view that drew it, for logs, tests and dead-time rules; such as ``confirm``.
        is_wide: A view that a 20-column display may refuse.
    """

    columns: int
    rows: int
    lines: tuple[str, ...]
    view: str = ""
    is_wide: bool = False


def cell_width(text: str) -> int:
    """Return how many cells `text` takes: Han and full-width characters two, others one."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def clip(text: str, columns: int) -> str:
    """Return the longest prefix of `text` that fits into `columns` cells."""
    used = 0
    for index, character in enumerate(text):
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > columns:
            return text[:index]
    return text


def pad(text: str, columns: int) -> str:
    """Return `text` clipped and padded with spaces to exactly `columns` cells."""
    clipped = clip(text, columns)
    return clipped + " " * (columns - cell_width(clipped))


def make_screen(lines: list[str], *, columns: int, rows: int, view: str = "", is_wide: bool = False) -> Screen:
    """Build a screen: lines are clipped, padded and filled up to `rows`."""
    if len(lines) > rows:
        raise ValueError(f"view {view!r} has {len(lines)} lines, the display {rows}")
    filled = [*lines, *[""] * (rows - len(lines))]
    return Screen(columns, rows, tuple(pad(line, columns) for line in filled), view, is_wide)
