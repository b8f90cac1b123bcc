"""The bundled font: one glyph of 8 × 16 dots a cell, 16 × 16 for characters of two cells. For screens and for paper.

The file (``build.py`` made it from GNU Unifont) is mapped, not read: a till touches the pages of a few hundred
characters. Its layout, little-endian: `MAGIC`, number of one-cell and of two-cell glyphs (u16 each), the code points
of the first in rising order (u16 each), those of the second, then 16 bytes for each glyph of the first and 32 bytes
for each of the second: rows from the top, the leftmost dot in the highest bit.
"""

import mmap
import struct
from array import array
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path

import msgspec

from pos_agent.domain.screen import cell_width

MAGIC = b"PAF1"
#: Dots of a glyph's height; a cell is half as wide.
HEIGHT_DOTS = 16
CELL_DOTS = 8
FILE = Path(__file__).with_name("cells16.bin")


class Glyph(msgspec.Struct, frozen=True):
    """A character's picture: `cells` × 8 dots wide; 16 rows, the leftmost dot in the highest bit."""

    cells: int
    rows: tuple[int, ...]


class CellFont:
    """The glyphs of a font file, looked up by character.

    Args:
        path: A file as described above.
    Raises:
        OSError: The file cannot be mapped.
        ValueError: It is no such file.
    """

    def __init__(self, path: Path = FILE) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._data[:4] != MAGIC:
            raise ValueError(f"{path} is not a font of cells")
        narrow, wide = struct.unpack_from("<HH", self._data, 4)
        start = 8
        self._codes: dict[int, array[int]] = {}
        for cells, count in ((1, narrow), (2, wide)):
            self._codes[cells] = _codes(self._data[start : start + 2 * count])
            start += 2 * count
        self._starts = {1: start, 2: start + narrow * HEIGHT_DOTS}
        if len(self._data) != self._starts[2] + wide * HEIGHT_DOTS * 2:
            raise ValueError(f"{path} is cut off")

    def __len__(self) -> int:
        """Return the number of glyphs."""
        return sum(map(len, self._codes.values()))

    def find(self, character: str) -> Glyph | None:
        """Return the glyph of one character, as wide as its cells; None = the font lacks it."""
        cells = cell_width(character)
        codes = self._codes[cells]
        index = bisect_left(codes, ord(character)) if ord(character) < 0x10000 else len(codes)
        if index == len(codes) or codes[index] != ord(character):
            return None
        size = HEIGHT_DOTS * cells
        start = self._starts[cells] + index * size
        return Glyph(cells, struct.unpack_from(">16B" if cells == 1 else ">16H", self._data, start))

    def close(self) -> None:
        """Unmap the file."""
        self._data.close()


def box(cells: int) -> Glyph:
    """Return what stands for a character that the font lacks."""
    full = (1 << (cells * CELL_DOTS - 1)) - 2
    side = 1 << (cells * CELL_DOTS - 2) | 2
    return Glyph(cells, (0, full, *(side,) * 11, full, 0, 0))


@lru_cache(maxsize=1)
def bundled_font() -> CellFont:
    """Return the font that is shipped; mapped once a process."""
    return CellFont()


def _codes(data: bytes) -> "array[int]":
    codes = array("H", data)
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        codes.byteswap()
    return codes
