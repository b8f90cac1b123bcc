"""Templates → lines of a screen: alternatives, right-hand parts, lists, rules. Pure."""

from collections.abc import Mapping, Sequence

from pos_agent.domain.screen import cell_width, clip, pad

#: Template marks, see `pos_agent.i18n.screens_20x4`.
ALTERNATIVE, ROWS, RULE = "~~", "{rows}", "---"


def lay_out(
    template: str, values: Mapping[str, str], rows: Sequence[str], *, columns: int, height: int, mark: str = ""
) -> list[str]:
    """Fill a template.

    Args:
        template: Lines with placeholders.
        values: What stands for the placeholders.
        rows: List lines for `{rows}`; clipped to the room that is left.
        columns: Cells a line.
        height: Lines of the screen.
        mark: Room for these words is left at the end of the first line.
    Returns:
        At most `height` lines, none wider than `columns`.
    """
    lines = template.split("\n")
    if ROWS in lines:
        place, room = lines.index(ROWS), height - len(lines) + 1
        listed = [*rows[:room], *[""] * (room - len(rows))]
        lines = [*lines[:place], *[_escape(row) for row in listed], *lines[place + 1 :]]
    room = columns - cell_width(mark) - 1 if mark else columns
    return [_line(lines[0], values, room), *[_line(line, values, columns) for line in lines[1:]]]


def room_for_rows(template: str, height: int) -> int:
    """Return how many list lines the template leaves room for."""
    return height - template.count("\n")


def page_of(rows: Sequence[str], page: int, room: int) -> tuple[list[str], str]:
    """Return the rows of one page (pages wrap) and the mark "1/3"; the mark is empty for a single page."""
    pages = max(1, -(-len(rows) // room))
    place = page % pages
    return list(rows[place * room : (place + 1) * room]), f"{place + 1}/{pages}" if pages > 1 else ""


def wrap(text: str, columns: int) -> list[str]:
    """Break text at cell width, at a space where one is near."""
    lines: list[str] = []
    while text:
        piece = clip(text, columns)
        if len(piece) < len(text) and text[len(piece)] != " ":
            space = piece.rfind(" ")
            piece = piece[:space] if space > len(piece) // 2 else piece
        lines.append(piece.rstrip())
        text = text[len(piece) :].lstrip()
    return lines


def in_columns(items: Sequence[str], columns: int) -> list[str]:
    """Set items two in a line: the second starts at the middle, or one space behind a first that is too long."""
    lines = []
    for place in range(0, len(items), 2):
        pair = items[place : place + 2]
        first = pair[0] if len(pair) == 1 else pad(pair[0], max(columns // 2, cell_width(pair[0]) + 1))
        if len(pair) == 2 and cell_width(first) + cell_width(pair[1]) > columns:
            first = pair[0] + " "
        lines.append(first + (pair[1] if len(pair) == 2 else ""))
    return lines


def right(text: str, columns: int) -> str:
    """Set text right in `columns` cells."""
    return " " * max(0, columns - cell_width(text)) + text


def count_down(lines: Sequence[str], mark: str, *, columns: int, row: int) -> list[str]:
    """Put the remaining seconds at the end of the key line."""
    return [*lines[:row], end_with(lines[row], mark, columns), *lines[row + 1 :]]


def end_with(line: str, mark: str, columns: int) -> str:
    """Return the line, clipped so that the mark stands at its end."""
    return pad(line, columns - cell_width(mark) - 1) + " " + mark


def _escape(row: str) -> str:
    return row.replace("{", "{{").replace("}", "}}")


def _line(template: str, values: Mapping[str, str], columns: int) -> str:
    if template == RULE:
        return "-" * columns
    filled = ""
    for alternative in template.split(ALTERNATIVE):
        filled = _spread(alternative.format_map(values), columns)
        if cell_width(filled) <= columns:
            return filled
    return clip(filled, columns)


def _spread(line: str, columns: int) -> str:
    left, tab, end = line.partition("\t")
    if not tab:
        return line
    gap = columns - cell_width(left) - cell_width(end)
    return left + " " * max(1, gap) + end
