"""Reads what was drawn: dots → text, by comparing each cell with the glyphs of the font file. Knows no driver code.

Layout of the file: magic, numbers of one-cell and two-cell glyphs (u16), code points (u16 each), then 16 bytes for each
one-cell glyph and 32 for each two-cell one, rows from the top, the leftmost dot in the highest bit; little-endian.
"""

import struct
from functools import lru_cache
from pathlib import Path

_FONT = Path(__file__).parents[2] / "drivers" / "fonts" / "cells16.bin"


@lru_cache(maxsize=1)
def _characters() -> dict[bytes, str]:
    """Return the character of each glyph: 16 rows of one byte (one cell) or of two."""
    data = _FONT.read_bytes()
    narrow, wide = struct.unpack_from("<HH", data, 4)
    codes = struct.unpack_from(f"<{narrow + wide}H", data, 8)
    start = 8 + 2 * len(codes)
    found: dict[bytes, str] = {}
    for index, code in enumerate(codes):
        size = 16 if index < narrow else 32
        found.setdefault(data[start : start + size], chr(code))
        start += size
    return found


def read_cells(dots: bytes, *, width: int, size: tuple[int, int], cell: tuple[int, int]) -> list[str]:
    """Return the lines of a picture of one byte a dot whose cells begin at its upper left corner.

    Args:
        dots: Row by row; 0 = black, anything else = ink.
        width: Dots of a row.
        size: (columns, rows).
        cell: Dots of a cell, whole multiples of 8 and 16.
    """
    columns, rows = size
    step_x, step_y = cell[0] // 8, cell[1] // 16
    lines = []
    for row in range(rows):
        bits = []
        for y in range(16):
            start = (row * cell[1] + y * step_y) * width
            sampled = dots[start : start + columns * cell[0] : step_x]
            text = "".join("1" if dot else "0" for dot in sampled)
            bits.append([int(text[at : at + 8], 2) for at in range(0, len(text), 8)])
        lines.append(_line(bits, columns).rstrip())
    return lines


def _line(bits: list[list[int]], columns: int) -> str:
    known = _characters()
    line, column = "", 0
    while column < columns:
        one = known.get(bytes(row[column] for row in bits))
        two = known.get(bytes(half for row in bits for half in row[column : column + 2]))
        # The left half of a Han character may look like a narrow sign: the longer reading wins unless it is blank.
        if two is not None and two.strip() and column + 1 < columns:
            line, column = line + two, column + 2
        else:
            line, column = line + (one or "\N{REPLACEMENT CHARACTER}"), column + 1
    return line
