"""Blocks → lines of cells: wrapping, columns, alignment. Pure; knows no bytes and no printer commands."""

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from pos_agent.domain.slip import Align, Row, Rule, Text

#: Returns how many cells one character takes in the printer's text mode: 1 or 2.
CellsOf = Callable[[str], int]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One printed line.

    Attributes:
        text: No control or format character; what no font has stays, for the encoder to refuse or replace.
        width, height: Multiples of the font, 1 or 2.
        is_critical: Holds money or an identifier: shown exactly or not at all.
    """

    text: str
    align: Align = Align.LEFT
    width: int = 1
    height: int = 1
    bold: bool = False
    is_critical: bool = False


def printable(text: str) -> str:
    """Return `text` with everything removed that could command a printer or deceive a reader.

    Control characters become spaces: an ESC inside a merchant's name or a reviewer's sentence must not reach the
    printer as a command. Format characters (bidirectional overrides, zero-width joiners) vanish: they could turn
    figures around. The yen sign U+00A5 becomes U+FFE5, the one that GB 2312 has; otherwise GB18030 gives four bytes
    that print as "0 6" (devices.md section 1).
    """
    return "".join(map(_printable, unicodedata.normalize("NFC", text)))


@lru_cache(maxsize=4096)
def _printable(character: str) -> str:
    """Return what stands for one character; the same few hundred come again on every slip."""
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp") or character == "\u00a0":
        return " "
    if category in ("Cf", "Cs", "Mn", "Me"):
        return ""
    return "\uffe5" if character == "\u00a5" else character


def width_of(text: str, cells_of: CellsOf) -> int:
    """Return how many cells `text` takes."""
    return sum(map(cells_of, text))


def lines_of(block: Text | Row | Rule, columns: int, cells_of: CellsOf) -> Iterator[Line]:
    """Yield the lines of one block of text.

    Args:
        block: What to set.
        columns: Cells of a line at normal width.
        cells_of: Width of a character.
    """
    match block:
        case Rule():
            yield Line(text="-" * columns)
        case Text():
            yield from _paragraph(block, columns, cells_of)
        case Row():
            yield from _row(block, columns, cells_of)


def _paragraph(block: Text, columns: int, cells_of: CellsOf) -> Iterator[Line]:
    width, height = min(max(block.width, 1), 2), min(max(block.height, 1), 2)
    for paragraph in block.text.replace("\r\n", "\n").split("\n"):
        for text in wrap(printable(paragraph), columns // width, cells_of):
            yield Line(
                text=text,
                align=block.align,
                width=width,
                height=height,
                bold=block.bold,
                is_critical=block.is_critical,
            )


def _row(block: Row, columns: int, cells_of: CellsOf) -> Iterator[Line]:
    label, value = printable(block.label).strip(), printable(block.value).strip()
    height = min(max(block.height, 1), 2)

    def line(text: str) -> Line:
        return Line(text=text, height=height, bold=block.bold, is_critical=block.is_critical)

    gap = columns - width_of(label, cells_of) - width_of(value, cells_of)
    if gap >= 1:
        yield line(label + " " * gap + value)
        return
    for text in wrap(label, columns, cells_of):
        yield line(text)
    for text in wrap(value, columns, cells_of):
        yield line(" " * (columns - width_of(text, cells_of)) + text)


#: May not begin a line, and may not end one. Source: GB/T 15834-2011, section 5.1 (标点符号用法, 标号的位置), with the
#: ASCII signs that stand for them in the words of a till.
_NOT_FIRST = frozenset("，。、；：？！”’）》〉】〕」』…—·％℃,.;:?!)]}%")
_NOT_LAST = frozenset("“‘（《〈【〔「『￥¥$([{")
#: So many characters are carried to the next line at most: a line of nothing but signs is broken anyway.
_CARRIED = 4


def wrap(text: str, columns: int, cells_of: CellsOf) -> list[str]:
    """Break `text` into pieces of at most `columns` cells: at spaces, else between any two characters.

    No line begins with a closing sign or ends with an opening one. No character is lost but the spaces at a break. An
    empty text gives one empty line.
    """
    pieces: list[str] = []
    rest = text.rstrip()
    while width_of(rest, cells_of) > columns:
        end = _fitting(rest, columns, cells_of)
        end = _word_break(rest, end) or end
        end = _sign_break(rest, end)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest]


def _fitting(text: str, columns: int, cells_of: CellsOf) -> int:
    """Return how many characters fit; at least one, so that wrapping always ends."""
    used = 0
    for index, character in enumerate(text):
        used += cells_of(character)
        if used > columns:
            return max(index, 1)
    return len(text)


def _word_break(text: str, end: int) -> int:
    """Return where to break so that no ASCII word is cut, or 0 if the cut at `end` is right or cannot be helped."""
    if not (_is_word(text[end]) and _is_word(text[end - 1])):
        return 0
    start = end
    while start > 0 and _is_word(text[start - 1]):
        start -= 1
    return start


def _sign_break(text: str, end: int) -> int:
    """Return a break at or shortly before `end` where no sign stands on the wrong side, or `end` if there is none."""
    for start in range(end, max(end - _CARRIED, 1) - 1, -1):
        following = text[start:].lstrip()
        is_inside_word = _is_word(text[start]) and _is_word(text[start - 1])
        if following[:1] not in _NOT_FIRST and text[:start].rstrip()[-1:] not in _NOT_LAST and not is_inside_word:
            return start
    return end


def _is_word(character: str) -> bool:
    return character.isascii() and not character.isspace()
