"""Drawn lines and bars, read back by zxing and compared with the font."""

from collections.abc import Iterator

import pytest
import zxingcpp
from PIL import Image

from drivers.escpos.bitmap import Bitmap, code128_c_modules, draw_modules
from drivers.escpos.encoder import encode
from drivers.escpos.layout import Line
from drivers.escpos.profile import Profile, TextMode
from drivers.escpos.raster import LineRasterizer, find_font
from pos_agent.domain.slip import Align, Barcode, Block, Cut, QrCode, Row, SlipDocument, SlipKind, Text
from pos_agent.errors import ConfigValueError, UnencodableError
from tests.unit.drivers.escpos.receipt_parser import parse, raster_rows

FONTS = ("/nowhere.ttf", "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")
DRAWN = Profile(name="drawn", text_mode=TextMode.RASTER, has_code128=False, has_qr=False, fonts=FONTS)

pytestmark = pytest.mark.skipif(find_font(FONTS) is None, reason="needs Debian's fonts-wqy-zenhei")


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


def ink(bitmap: Bitmap) -> int:
    return sum(byte.bit_count() for byte in bitmap.rows)


@pytest.mark.parametrize("digits", ["9812345678901234567815", "00", "0123456789" * 2])
def test_drawn_bars_are_read_by_an_independent_decoder(digits: str) -> None:
    for profile in (DRAWN, Profile(name="n", width_dots=384, text_mode=TextMode.RASTER, fonts=FONTS)):
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
    assert ink(large) == 4 * ink(small) > 0
    assert rasterizer.line(Line(text="款")).rows != small.rows
    assert ink(rasterizer.line(Line(text="退", bold=True))) > ink(small)


def test_drawn_wide_letter_is_not_cut_off_to_another() -> None:
    """M is wider than its cell in a proportional font: its right stem must stay."""
    rasterizer = LineRasterizer(DRAWN)
    for letter in "MW":
        picture = Image.frombytes("1", (576, 30), rasterizer.line(Line(text=letter)).rows)
        stems = [sum(bool(picture.getpixel((x, y))) for y in range(24)) for x in range(12)]
        assert max(stems[8:]) >= 0.7 * max(stems[:4]) > 0


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


def test_font_missing_is_a_config_error() -> None:
    rasterizer = LineRasterizer(Profile(name="x", fonts=("/nowhere.ttf",)))
    with pytest.raises(ConfigValueError, match="font"):
        rasterizer.line(Line(text="a"))
