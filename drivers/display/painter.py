"""Changed cells → bytes of framebuffer memory. Pure but for the font, which is mapped at the first glyph.

White on black: every dot is all ones or all zeros, so the order of the colours in RGB565, BGRX or RGBX does not matter.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from drivers.display.cells import Run
from drivers.display.geometry import Layout
from drivers.fonts.cells import CELL_DOTS, Glyph, box, bundled_font
from drivers.fonts.scale import stretch_bits, stretch_rows
from pos_agent.domain.screen import cell_width

#: Drawn glyphs kept; a shop's screens use some 300 characters. A glyph is 16 different rows at most, which repeat: 6 kB
#: of a Han character at 1920 × 1080 and 32 bits, 1 kB at 800 × 480 and 16.
_GLYPHS = 320
_ROWS = 2048
_WHITE = bytes.maketrans(b"01", b"\x00\xff")
#: Rows of dots, each as it stands in memory; equal rows of a glyph are one object.
_Rows = tuple[bytes, ...]


class Painter:
    """Draws text into the cells of a layout; keeps drawn glyphs up to a bound."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._is_turned = layout.rotate in (90, 270)
        self._drawn = lru_cache(maxsize=_GLYPHS)(self._draw)
        self._row = lru_cache(maxsize=_ROWS)(self._row_bytes)

    def paint(self, run: Run) -> Iterator[tuple[int, bytes]]:
        """Yield (offset into the memory, bytes) for each row of dots under `run`."""
        text = run.text
        panel = self._layout.framebuffer
        rect = self._layout.rect(run.row, run.column, cell_width(text))
        offset = panel.start_bytes + rect.top * panel.stride_bytes + rect.left * panel.dot_bytes
        for row in self._rows_of(text):
            yield offset, row
            offset += panel.stride_bytes

    def _rows_of(self, text: str) -> Iterator[bytes]:
        is_backwards = self._layout.rotate in (180, 270)
        glyphs = [self._drawn(character) for character in (reversed(text) if is_backwards else text)]
        if self._is_turned:
            return chain.from_iterable(glyphs)
        return map(b"".join, zip(*glyphs, strict=True))

    def _draw(self, character: str) -> _Rows:
        glyph = bundled_font().find(character) or box(cell_width(character))
        across, down = glyph.cells * self._layout.cell_width, self._layout.cell_height
        source = _turn(glyph, self._layout.rotate)
        width = len(glyph.rows) if self._is_turned else glyph.cells * CELL_DOTS
        if self._is_turned:
            across, down = down, across
        return tuple(self._row(row, width, across) for row in stretch_rows(source, down))

    def _row_bytes(self, bits: int, width: int, target: int) -> bytes:
        dots = f"{stretch_bits(bits, width, target):0{target}b}".encode().translate(_WHITE)
        size = self._layout.framebuffer.dot_bytes
        row = bytearray(target * size)
        for index in range(size):
            row[index::size] = dots
        return bytes(row)


def _turn(glyph: Glyph, rotate: int) -> tuple[int, ...]:
    """Return the glyph's rows, turned clockwise."""
    if rotate == 0:
        return glyph.rows
    width = glyph.cells * CELL_DOTS
    rows = [f"{row:0{width}b}" for row in glyph.rows]
    if rotate == 180:
        return tuple(int(row[::-1], 2) for row in reversed(rows))
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    if rotate == 90:
        return tuple(int(column[::-1], 2) for column in columns)
    return tuple(int(column, 2) for column in reversed(columns))
