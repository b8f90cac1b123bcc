"""Makes ``cells16.bin`` from GNU Unifont: ``python -m drivers.fonts.build unifont.pcf.gz``. Not used at run time.

The source is the file ``/usr/share/fonts/X11/misc/unifont.pcf.gz`` of the Debian package xfonts-unifont 1:15.0.01-2
(bookworm). The font says in its own property COPYRIGHT that it is licensed under the SIL Open Font License 1.1 and the
GPL 2 or later with the font embedding exception; this script refuses a file that does not. Glyphs are copied dot by
dot; the result is licensed under the SIL Open Font License 1.1 (``OFL.txt``).

Which characters: printable ASCII and Latin-1, and every character that GBK encodes in two bytes, which holds GB 2312,
the Han of Taiwan and Hong Kong and nearly every name in a register of residents. Of these only glyphs that are as wide
as the cells that the character takes (`pos_agent.domain.screen.cell_width`).

Source of the PCF format: X.Org libXfont, ``pcfread.c`` and ``include/X11/fonts/pcf.h``.
"""

import argparse
import gzip
import hashlib
import struct
from pathlib import Path

from drivers.fonts.cells import HEIGHT_DOTS, MAGIC
from pos_agent.domain.screen import cell_width

_PROPERTIES, _METRICS, _BITMAPS, _ENCODINGS = 1 << 0, 1 << 2, 1 << 3, 1 << 5
_COMPRESSED_METRICS = 0x100
_MOST_SIGNIFICANT_BYTE, _MOST_SIGNIFICANT_BIT, _PAD_MASK = 1 << 2, 1 << 3, 3
_NO_GLYPH = 0xFFFF
#: Unifont's cell: 14 rows above the base line, 2 below.
_ASCENT_DOTS = 14
#: Of the unpacked source, so that another release is not taken by accident.
_SOURCE_SHA256 = "4b1f64ea84e7afbf76a4e84ee1c00ba62e43d68d6047e0bdc744c8ec02f41294"
_LICENCE = "SIL Open Font License version 1.1"


class PcfFont:
    """What this script needs of a PCF file with big- or little-endian tables."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x01fcp":
            raise ValueError("not a PCF file")
        (count,) = struct.unpack_from("<I", data, 4)
        entries = [struct.unpack_from("<IIII", data, 8 + 16 * index) for index in range(count)]
        self._tables = {kind: data[offset : offset + size] for kind, _, size, offset in entries}
        self._metrics = self._read_metrics()
        self._read_bitmaps()

    @property
    def copyright(self) -> str:
        """Return the property COPYRIGHT."""
        table, order = self._open(_PROPERTIES)
        (count,) = struct.unpack_from(order + "I", table, 4)
        strings = 8 + 9 * count + (-count) % 4 + 4
        for index in range(count):
            name, is_string, value = struct.unpack_from(order + "IBI", table, 8 + 9 * index)
            if is_string and _text(table, strings + name) == "COPYRIGHT":
                return _text(table, strings + value)
        return ""

    def codepoints(self) -> dict[int, int]:
        """Return the index of the glyph of each character of the Basic Multilingual Plane."""
        table, order = self._open(_ENCODINGS)
        first2, last2, first1, last1, _ = struct.unpack_from(order + "5H", table, 4)
        columns = last2 - first2 + 1
        found = {}
        for row in range(first1, last1 + 1):
            for column in range(first2, last2 + 1):
                at = 14 + 2 * ((row - first1) * columns + column - first2)
                (glyph,) = struct.unpack_from(order + "H", table, at)
                if glyph != _NO_GLYPH:
                    found[row << 8 | column] = glyph
        return found

    def rows(self, glyph: int, width_dots: int) -> list[int]:
        """Return 16 rows of dots in a cell of the given width, the leftmost dot in the highest bit.

        Raises:
            ValueError: The glyph's ink or its advance does not fit.
        """
        left, right, advance, ascent, descent = self._metrics[glyph]
        if advance != width_dots or left < 0 or right > width_dots:
            raise ValueError("glyph is not as wide as its cells")
        if ascent > _ASCENT_DOTS or descent > HEIGHT_DOTS - _ASCENT_DOTS:
            raise ValueError("glyph is higher than its cell")
        row_bytes = -(-(right - left) // (8 * self._pad)) * self._pad
        ink = [0] * (_ASCENT_DOTS - ascent)
        for row in range(ascent + descent):
            start = self._offsets[glyph] + row * row_bytes
            bits = int.from_bytes(self._bitmaps[start : start + row_bytes], "big")
            ink.append(bits >> (row_bytes * 8 - (right - left)) << (width_dots - right))
        return ink + [0] * (HEIGHT_DOTS - len(ink))

    def _open(self, kind: int) -> tuple[bytes, str]:
        table = self._tables[kind]
        (form,) = struct.unpack_from("<I", table)
        return table, ">" if form & _MOST_SIGNIFICANT_BYTE else "<"

    def _read_metrics(self) -> list[tuple[int, int, int, int, int]]:
        table, order = self._open(_METRICS)
        (form,) = struct.unpack_from("<I", table)
        if form & _COMPRESSED_METRICS:
            (count,) = struct.unpack_from(order + "H", table, 4)
            raw = [table[6 + 5 * index : 11 + 5 * index] for index in range(count)]
            return [(m[0] - 128, m[1] - 128, m[2] - 128, m[3] - 128, m[4] - 128) for m in raw]
        (count,) = struct.unpack_from(order + "I", table, 4)
        return [struct.unpack_from(order + "5h", table, 8 + 12 * index) for index in range(count)]

    def _read_bitmaps(self) -> None:
        table, order = self._open(_BITMAPS)
        form, count = struct.unpack_from("<I", table)[0], struct.unpack_from(order + "I", table, 4)[0]
        if not form & _MOST_SIGNIFICANT_BIT or (form >> 4 & 3 and not form & _MOST_SIGNIFICANT_BYTE):
            raise ValueError("bit order of the bitmaps is not supported")
        self._pad = 1 << (form & _PAD_MASK)
        self._offsets = struct.unpack_from(f"{order}{count}I", table, 8)
        self._bitmaps = table[8 + 4 * count + 16 :]


def _text(table: bytes, start: int) -> str:
    return table[start : table.index(b"\0", start)].decode("latin-1")


def wanted_characters() -> list[str]:
    """Return the characters that a till shows or prints, in order of their code points."""
    wanted = {chr(code) for code in [*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]}
    for lead in range(0x81, 0xFF):
        for trail in range(0x40, 0xFF):
            text = bytes((lead, trail)).decode("gbk", "ignore")
            if len(text) == 1 and not "\ue000" <= text <= "\uf8ff":
                wanted.add(text)
    return sorted(wanted)


def build(font: PcfFont) -> tuple[bytes, list[str]]:
    """Return the file and the wanted characters that it does not hold.

    Raises:
        ValueError: The font does not grant the licence that the result is published under.
    """
    if _LICENCE not in font.copyright:
        raise ValueError("the font does not say that it is licensed under the SIL Open Font License 1.1")
    glyph_of = font.codepoints()
    found: dict[int, dict[str, bytes]] = {1: {}, 2: {}}
    missing = []
    for character in wanted_characters():
        cells = cell_width(character)
        try:
            rows = font.rows(glyph_of[ord(character)], 8 * cells)
        except (KeyError, ValueError):
            missing.append(character)
        else:
            found[cells][character] = b"".join(row.to_bytes(cells, "big") for row in rows)
    narrow, wide = found[1], found[2]
    codes = [ord(character) for character in (*narrow, *wide)]
    head = MAGIC + struct.pack("<HH", len(narrow), len(wide)) + struct.pack(f"<{len(codes)}H", *codes)
    return head + b"".join((*narrow.values(), *wide.values())), missing


def main() -> None:
    """Build the font."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="unifont.pcf.gz of xfonts-unifont 1:15.0.01-2")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("cells16.bin"))
    options = parser.parse_args()
    source = gzip.decompress(options.source.read_bytes())
    if hashlib.sha256(source).hexdigest() != _SOURCE_SHA256:
        parser.error(f"{options.source} is not the release that this font was made of")
    data, missing = build(PcfFont(source))
    options.output.write_bytes(data)
    print(f"{options.output}: {len(data)} bytes; without a glyph: {''.join(missing)}")


if __name__ == "__main__":
    main()
