"""Drawn lines and bars, read back by zxing and compared with the font as Pillow draws it."""

from collections.abc import Iterator

import pytest
import zxingcpp
from PIL import Image

from drivers.escpos.bitmap import Bitmap, code128_c_modules, draw_modules
from drivers.escpos.encoder import encode
from drivers.escpos.layout import Line
from drivers.escpos.profile import Profile, TextMode
from drivers.escpos.raster import LineRasterizer
from drivers.fonts.cells import bundled_font
from pos_agent.domain.slip import Align, Barcode, Block, Cut, QrCode, Row, SlipDocument, SlipKind, Text
from pos_agent.errors import UnencodableError
from tests.unit.drivers.escpos.receipt_parser import parse, raster_rows

DRAWN = Profile(name="drawn", text_mode=TextMode.RASTER, has_code128=False, has_qr=False)


def picture_of(*blocks: Block, profile: Profile = DRAWN) -> Image.Image:
    """Return the paper: black on white."""
    rasterizer = LineRasterizer(profile)
    document = SlipDocument(kind=SlipKind.RESULT, blocks=blocks)
    data = encode(document, profile, rasterize=rasterizer.line, rasterize_qr=rasterizer.qr)
    rows = [row for argument in parse(data).named("raster") for row in raster_rows(argument)]
    paper = Image.new("L", (profile.width_dots, len(rows) + 40), 255)
    paper.putdata([0 if dot == "1" else 255 for row in rows for dot in row])
    return paper


def decoded(paper: Image.Image) -> Iterator[str]:
    return (result.text for result in zxingcpp.read_barcodes(paper))


def picture(bitmap: Bitmap) -> Image.Image:
    return Image.frombytes("1", (bitmap.width_bytes * 8, bitmap.height), bitmap.rows)


def ink(bitmap: Bitmap) -> int:
    return sum(byte.bit_count() for byte in bitmap.rows)


@pytest.mark.parametrize("digits", ["9812345678901234567815", "00", "0123456789" * 2])
def test_drawn_bars_are_read_by_an_independent_decoder(digits: str) -> None:
    for profile in (DRAWN, Profile(name="n", width_dots=384, text_mode=TextMode.RASTER)):
        assert list(decoded(picture_of(Barcode(digits), profile=profile))) == [digits]


def test_every_symbol_of_set_c_is_read_by_an_independent_decoder() -> None:
    for start in range(0, 100, 10):
        digits = "".join(f"{value:02d}" for value in range(start, start + 10))
        assert list(decoded(picture_of(Barcode(digits)))) == [digits]


def test_bars_of_a_request_id_take_352_dots_with_their_quiet_zones() -> None:
    assert len(code128_c_modules("98" * 11)) * 2 + 2 * 10 * 2 == 352
    with pytest.raises(ValueError, match="wider"):
        draw_modules(code128_c_modules("98" * 11), module_dots=2, height_dots=10, width_dots=344)


def test_drawn_qr_is_read_by_an_independent_decoder() -> None:
    assert list(decoded(picture_of(QrCode("https://shop.example/退款")))) == ["https://shop.example/退款"]


def test_drawn_line_differs_by_text_and_doubles_its_size() -> None:
    rasterizer = LineRasterizer(DRAWN)
    small, large = (rasterizer.line(Line(text="退", width=n, height=n)) for n in (1, 2))
    assert (small.height, large.height) == (30, 54)
    assert ink(large) > 2 * ink(small) > 0
    assert rasterizer.line(Line(text="款")).rows != small.rows
    assert ink(rasterizer.line(Line(text="退", bold=True))) > ink(small)


def test_drawn_line_at_twice_the_font_has_the_dots_of_the_font() -> None:
    """16-dot cells double every dot of the 8 × 16 glyph: nothing is lost, nothing is added."""
    profile = Profile(name="double", cell_dots=16, text_mode=TextMode.RASTER)
    drawn = picture(LineRasterizer(profile).line(Line(text="退款￥1")))
    glyphs = [bundled_font().find(character) for character in "退款￥1"]
    dots = [[row >> (8 * glyph.cells - 1 - x) & 1 for glyph in glyphs if glyph for x in range(8 * glyph.cells)
             for row in [glyph.rows[y]]] for y in range(16)]  # fmt: skip
    for y, row in enumerate(dots):
        for x, dot in enumerate(row):
            assert bool(drawn.getpixel((2 * x, 2 * y))) == bool(drawn.getpixel((2 * x + 1, 2 * y + 1))) == bool(dot)


@pytest.mark.parametrize("cell_dots", [8, 9, 12, 14, 16])
def test_drawn_line_keeps_every_stroke_and_every_gap(cell_dots: int) -> None:
    """一二三 are one, two and three strokes, 川 is three side by side: so many stay at every size of cell."""
    rasterizer = LineRasterizer(Profile(name="sizes", cell_dots=cell_dots, text_mode=TextMode.RASTER))
    for character, strokes in zip("一二三", (1, 2, 3), strict=True):
        drawn = picture(rasterizer.line(Line(text=character)))
        rows = [any(drawn.getpixel((x, y)) for x in range(cell_dots * 2)) for y in range(cell_dots * 2)]
        assert "".join("#" if row else " " for row in rows).split() != []
        assert len("".join("#" if row else " " for row in rows).split()) == strokes
    drawn = picture(rasterizer.line(Line(text="川")))
    middle = "".join("#" if drawn.getpixel((x, cell_dots)) else " " for x in range(cell_dots * 2))
    assert len(middle.split()) == 3


def test_drawn_line_is_aligned_by_cells() -> None:
    rasterizer = LineRasterizer(DRAWN)

    def left_edge(align: Align) -> int:
        bitmap = rasterizer.line(Line(text="退", align=align))
        return Image.frombytes("1", (576, bitmap.height), bitmap.rows).getbbox()[0] // 24  # type: ignore[index]

    assert [left_edge(align) for align in Align] == [0, 11, 23]


def test_drawn_critical_line_with_a_glyph_that_the_font_lacks_is_refused() -> None:
    rasterizer = LineRasterizer(DRAWN)
    with pytest.raises(UnencodableError):
        rasterizer.line(Line(text="\U00013000", is_critical=True))
    assert ink(rasterizer.line(Line(text="\U00013000"))) > 0


def test_whole_slip_is_drawn_without_any_text_byte() -> None:
    rasterizer = LineRasterizer(DRAWN)
    blocks = (Text("退款 REFUND", width=2), Row("金额", "RMB 1.00", is_critical=True), Cut())
    document = SlipDocument(kind=SlipKind.RESULT, blocks=blocks)
    receipt = parse(encode(document, DRAWN, rasterize=rasterizer.line))
    assert receipt.lines == []
    assert len(receipt.named("raster")) == 2


@pytest.mark.parametrize("text", ["\0" * 84, "x" * 4000], ids=["zeros", "long"])
def test_qr_code_that_cannot_be_drawn_is_said_to_be_so(text: str) -> None:
    with pytest.raises(UnencodableError):
        LineRasterizer(Profile(name="x")).qr(text, 3)
