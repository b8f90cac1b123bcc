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


class _CellWidths(dict[str, int]):
    """Width by character, looked up in the Unicode table once: a key's echo measures some hundred characters."""

    def __missing__(self, character: str) -> int:
        width = 2 if east_asian_width(character) in "WF" else 1
        if len(self) < _MAX_KNOWN_WIDTHS:
            self[character] = width
        return width


#: More characters than all our words have; a hostile text cannot make the table grow.
_MAX_KNOWN_WIDTHS = 4096
_WIDTHS = _CellWidths()


def cell_width(text: str) -> int:
    """Return how many cells `text` takes: Han and full-width characters two, others one."""
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


def clip(text: str, columns: int) -> str:
    """Return the longest prefix of `text` that fits into `columns` cells."""
    if text.isascii():
        return text[: max(0, columns)]
    used = 0
    for index, character in enumerate(text):
        used += _WIDTHS[character]
        if used > columns:
            return text[:index]
    return text


def pad(text: str, columns: int) -> str:
    """Return `text` clipped and padded with spaces to exactly `columns` cells."""
    width = cell_width(text)
    if width > columns:
        text = clip(text, columns)
        width = cell_width(text)
    return text + " " * (columns - width)


def make_screen(lines: list[str], *, columns: int, rows: int, view: str = "", is_wide: bool = False) -> Screen:
    """Build a screen: lines are clipped, padded and filled up to `rows`."""
    if len(lines) > rows:
        raise ValueError(f"view {view!r} has {len(lines)} lines, the display {rows}")
    filled = [*lines, *[""] * (rows - len(lines))]
    return Screen(columns, rows, tuple(pad(line, columns) for line in filled), view, is_wide)
