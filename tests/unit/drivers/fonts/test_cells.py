"""The bundled font, compared with GNU Unifont itself as FreeType (through Pillow) draws it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from drivers.fonts.cells import FILE, CellFont, Glyph, box, bundled_font
from pos_agent.domain.screen import cell_width

ROOT = Path(__file__).parents[4]
#: Debian's fonts-unifont, the outlines of the same release whose bitmaps the subset was made of.
UNIFONT = Path("/usr/share/fonts/opentype/unifont/unifont.otf")
BUDGET_BYTES = 750_000


def shown_texts() -> Iterator[str]:
    """Yield the text of every file with words that a till shows or prints."""
    for folder in ("pos_agent/i18n", "pos_agent/workflow", "pos_agent/printing"):
        yield from (path.read_text("utf-8") for path in (ROOT / folder).rglob("*.py"))
    yield from (path.read_text("utf-8") for path in (ROOT / "config").rglob("*.toml"))


def pillow_rows(character: str, font: ImageFont.FreeTypeFont) -> tuple[int, ...]:
    width = 8 * cell_width(character)
    picture = Image.new("1", (width, 16))
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "1"
    draw.text((0, 14), character, fill=1, font=font, anchor="ls")
    data = picture.tobytes()
    return tuple(int.from_bytes(data[row * width // 8 : (row + 1) * width // 8], "big") for row in range(16))


def test_font_every_character_of_our_words_has_a_glyph() -> None:
    used = {character for text in shown_texts() for character in text if character.isprintable()}
    assert len(used) > 500
    assert {character for character in used if bundled_font().find(character) is None} == set()


def test_font_covers_gb2312_and_names_outside_it() -> None:
    han = {bytes((lead, trail)).decode("gb2312", "ignore") for lead in range(0xB0, 0xF8) for trail in range(0xA1, 0xFF)}
    han.discard("")
    assert len(han) == 6763  # GB 2312-80: 3755 of level 1, 3008 of level 2
    assert all(bundled_font().find(character) for character in han | set("堃喆翀玥珺镕淼﨑劉國龍￥“”…—"))


def test_font_is_unifont_dot_by_dot() -> None:
    assert UNIFONT.is_file(), "install the Debian package fonts-unifont"
    font = ImageFont.truetype(str(UNIFONT), 16)
    used = {character for text in shown_texts() for character in text if character.isprintable()}
    compared = sorted(used | set("堃喆翀龘赢鬱") | {chr(code) for code in range(0x4E00, 0x9FA6, 37)})
    for character in compared:
        glyph = bundled_font().find(character)
        assert glyph is not None
        assert glyph.rows == pillow_rows(character, font), character


def test_font_glyph_is_as_wide_as_the_cells_of_its_character() -> None:
    assert [found.cells for found in map(bundled_font().find, "A￥退·") if found] == [1, 2, 2, 1]


def test_font_character_outside_it_is_none_and_its_box_has_its_width() -> None:
    assert bundled_font().find("\U00013000") is None
    assert bundled_font().find("\uffff") is None
    for cells in (1, 2):
        glyph = box(cells)
        assert glyph == Glyph(cells, glyph.rows)
        assert len(glyph.rows) == 16
        assert 0 < max(glyph.rows) < 1 << (8 * cells)


def test_font_file_stays_in_its_budget_and_beside_its_licence() -> None:
    assert FILE.stat().st_size < BUDGET_BYTES
    licence = FILE.with_name("OFL.txt").read_text("utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert "GNU Unifont 15.0.01" in licence


@pytest.mark.parametrize("data", [b"not a font at all", FILE.read_bytes()[:-1]])
def test_font_file_that_is_broken_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "font.bin"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="font"):
        CellFont(path)
