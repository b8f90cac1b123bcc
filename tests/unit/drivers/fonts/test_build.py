"""The script that made the font, on small PCF files made here."""

import struct
import sys
from pathlib import Path

import pytest

from drivers.fonts import build
from drivers.fonts.build import PcfFont
from drivers.fonts.cells import CellFont

LICENCE = "Copyright X. License: SIL Open Font License version 1.1 and GPLv2+"


def _pcf(glyphs: dict[str, tuple[tuple[int, int, int, int, int], list[int]]], *, licence: str = LICENCE) -> bytes:
    """Return a PCF file, most significant byte and bit first, rows padded to one byte.

    Args:
        glyphs: By character: left, right, advance, ascent, descent; then the rows of ink as bytes.
    """
    form = 4 | 8
    strings = b"COPYRIGHT\0" + licence.encode() + b"\0"
    properties = struct.pack("<I", form) + struct.pack(">I", 1) + struct.pack(">IBI", 0, 1, 10) + bytes(3)
    properties += struct.pack(">I", len(strings)) + strings
    metrics, bitmaps, offsets = b"", b"", []
    for numbers, rows in glyphs.values():
        metrics += struct.pack(">5hH", *numbers, 0)
        offsets.append(len(bitmaps))
        row_bytes = -(-(numbers[1] - numbers[0]) // 8)
        bitmaps += b"".join(row.to_bytes(row_bytes, "big") for row in rows)
    count = len(glyphs)
    metrics = struct.pack("<I", form) + struct.pack(">I", count) + metrics
    bitmap_table = struct.pack("<I", form) + struct.pack(">I", count) + struct.pack(f">{count}I", *offsets)
    bitmap_table += bytes(16) + bitmaps
    codes = [0xFFFF] * 0x10000
    for index, character in enumerate(glyphs):
        codes[ord(character)] = index
    encodings = struct.pack("<I", form) + struct.pack(">5H", 0, 255, 0, 255, 0) + struct.pack(">65536H", *codes)
    tables = {1: properties, 4: metrics, 8: bitmap_table, 32: encodings}
    offset, entries = 8 + 16 * len(tables), b""
    for kind, table in tables.items():
        entries += struct.pack("<IIII", kind, form, len(table), offset)
        offset += len(table)
    return b"\x01fcp" + struct.pack("<I", len(tables)) + entries + b"".join(tables.values())


def test_build_copies_ink_to_its_place_in_the_cell(tmp_path: Path) -> None:
    """A glyph's ink box stands `ascent` rows above the base line, which is below row 14 of 16."""
    dash = ((1, 7, 8, 6, -5), [0b11111100])  # 6 dots wide, one row, 6 above the base line
    han = ((0, 16, 16, 14, 2), [0x8001] * 16)
    data, missing = build.build(PcfFont(_pcf({"-": dash, "一": han})))
    (tmp_path / "font.bin").write_bytes(data)
    font = CellFont(tmp_path / "font.bin")
    narrow, wide = font.find("-"), font.find("一")
    font.close()

    assert narrow is not None
    assert narrow.rows == (*[0] * 8, 0b01111110, *[0] * 7)
    assert wide is not None
    assert wide.rows == (0x8001,) * 16
    assert "A" in missing


def test_build_leaves_out_a_glyph_that_is_not_as_wide_as_its_cells() -> None:
    wide_letter = ((0, 16, 16, 14, 2), [0] * 16)
    data, missing = build.build(PcfFont(_pcf({"A": wide_letter})))
    assert "A" in missing
    assert len(data) == 8


def test_build_without_the_licence_in_the_font_is_refused() -> None:
    with pytest.raises(ValueError, match="Open Font License"):
        build.build(PcfFont(_pcf({"A": ((0, 8, 8, 14, 2), [0] * 16)}, licence="all rights reserved")))


def test_build_of_another_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    (tmp_path / "other.pcf.gz").write_bytes(gzip.compress(_pcf({})))
    monkeypatch.setattr(sys, "argv", ["build", str(tmp_path / "other.pcf.gz"), "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        build.main()
    assert not (tmp_path / "out").exists()


def test_pcf_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="PCF"):
        PcfFont(b"BITMAP FONT")
