"""The cells of a screen, and which have changed. Pure; a wide character takes two cells and is never cut in half."""

from collections.abc import Sequence

import msgspec

from pos_agent.domain.screen import cell_width, pad

#: A gap of unchanged cells up to this long is cheaper to send again than to jump over.
_JOIN_CELLS = 4


class Run(msgspec.Struct, frozen=True):
    """Neighbouring cells to be written again: line and column from 0, and their text."""

    row: int
    column: int
    text: str


def fitted(lines: Sequence[str], size: tuple[int, int]) -> tuple[str, ...]:
    """Return the lines of a screen as a display of (columns, rows) shows them: cut or filled with blanks."""
    columns, rows = size
    shown = [pad(line, columns) for line in lines[:rows]]
    return (*shown, *[" " * columns] * (rows - len(shown)))


def changed_runs(before: tuple[str, ...] | None, after: tuple[str, ...]) -> list[Run]:
    """Return what must be written so that a display that shows `before` shows `after`.

    Args:
        before: Lines as shown now, all as wide as those of `after`; None = nothing is known: write everything.
        after: Lines to show.
    """
    runs: list[Run] = []
    for row, line in enumerate(after):
        if before is None:
            runs.append(Run(row, 0, line))
        elif row >= len(before) or before[row] != line:
            runs += _line_runs(row, "" if row >= len(before) else before[row], line)
    return runs


def _line_runs(row: int, before: str, after: str) -> list[Run]:
    old, new = _cells(before), _cells(after)
    old += [" "] * (len(new) - len(old))
    changed = [column for column, cell in enumerate(new) if cell != old[column]]
    runs: list[Run] = []
    for start, end in _joined(changed):
        # A right half differs only together with its left half, so a span never starts at one.
        while end < len(new) and new[end] == "":
            end += 1  # noqa: PLW2901 - widening the span is the point
        runs.append(Run(row, start, "".join(new[start:end])))
    return runs


def _joined(columns: list[int]) -> list[tuple[int, int]]:
    """Return spans (first, behind last) of the columns, with small gaps closed."""
    spans: list[tuple[int, int]] = []
    for column in columns:
        if spans and column - spans[-1][1] <= _JOIN_CELLS:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((column, column + 1))
    return spans


def _cells(line: str) -> list[str]:
    """Return one string a cell; the right half of a wide character is empty."""
    if line.isascii():
        return list(line)
    cells: list[str] = []
    for character in line:
        cells.append(character)
        if cell_width(character) == 2:
            cells.append("")
    return cells
