"""Chinese on paper: our bytes through the simulated printer, which knows the manual and none of our code.

The clone in these tests starts in Han mode and goes back to it at every ``ESC @``, as printers sold in China do.
"""

import pytest

from drivers.escpos.encoder import encode
from drivers.escpos.profile import Profile, TextMode
from drivers.escpos.raster import LineRasterizer
from hil.simulators.cell_reader import read_cells
from pos_agent.domain.slip import Align, Block, Cut, Row, SlipDocument, SlipKind, Text
from pos_agent.errors import UnencodableError
from tests.unit.simulators.press import Press

SLIP: tuple[Block, ...] = (
    Text("退款申请单 REFUND", align=Align.CENTER, width=2, height=2, bold=True),
    Row("金额", "¥128.00", is_critical=True),
    Row("原因", "质量问题，顾客不想要"),
    Text("café 12 é退x"),
    Cut(),
)


def _press(profile: Profile, *blocks: Block) -> Press:
    rasterizer = LineRasterizer(profile)
    document = SlipDocument(kind=SlipKind.RESULT, blocks=blocks)
    data = encode(document, profile, rasterize=rasterizer.line, rasterize_qr=rasterizer.qr)
    return Press(data, width_dots=profile.width_dots, is_kanji_default=True)


def _drawn_lines(press: Press, *, rows: int, columns: int) -> list[str]:
    """Read drawn lines back, dot by dot: cells of 16 × 32, 6 white rows under each line."""
    paper = press.paper.snapshot().convert("L")
    lines = []
    for row in range(rows):
        strip = paper.crop((0, row * 38, columns * 16, row * 38 + 32))
        dots = bytes(255 - value for value in strip.tobytes())
        lines += read_cells(dots, width=columns * 16, size=(columns, 1), cell=(16, 32))
    return lines


def test_slip_in_gb18030_on_a_clone_in_han_mode_reads_as_written() -> None:
    press = _press(Profile(name="han", text_mode=TextMode.GB18030), *SLIP)
    assert [" ".join(line.split()) for line in press.lines if line.strip()] == [
        "退款申请单 REFUND",
        "金额 ￥128.00",  # U+00A5 would be four bytes and print as "0 6" (devices.md section 1)
        "原因 质量问题，顾客不想要",
        "café 12 é退x",  # é has two bytes in GB18030
    ]


def test_slip_in_gb18030_amount_stands_at_the_right_edge_in_cells() -> None:
    press = _press(Profile(name="han", text_mode=TextMode.GB18030), *SLIP)
    left, _, right, _ = press.ink()
    assert left < 48
    assert 576 - right <= 12


def test_character_of_four_bytes_is_drawn_and_leaves_no_stray_letters() -> None:
    """ñ is 81 30 87 35 in GB18030: on a printer that knows GBK only it would print as two wrong characters."""
    assert len("ñ".encode("gb18030")) == 4
    profile = Profile(name="han", text_mode=TextMode.GB18030, cell_dots=16)
    press = _press(profile, Text("España 退款￥1"))
    assert not any(press.lines)
    assert _drawn_lines(press, rows=1, columns=16) == ["España 退款￥1"]


def test_slip_on_a_code_page_printer_draws_what_the_page_lacks() -> None:
    profile = Profile(name="latin", text_mode=TextMode.CODEPAGE, code_page="cp437", code_page_number=0, cell_dots=16)
    press = _press(profile, Text("Refund 1/2"), Text("退款￥1"))
    assert press.lines[0] == "Refund 1/2"
    assert press.ink()[3] > 30


def test_slip_in_raster_mode_is_read_back_from_its_dots() -> None:
    profile = Profile(name="drawn", text_mode=TextMode.RASTER, cell_dots=16)
    texts = ["退款申请单 REFUND", "金额 ￥128.00", "商户名 堃喆龘国際", "质量问题，顾客不想要"]
    press = _press(profile, *map(Text, texts))
    assert _drawn_lines(press, rows=4, columns=30) == texts


@pytest.mark.parametrize("mode", list(TextMode))
def test_critical_line_that_no_font_can_show_is_refused_in_every_mode(mode: TextMode) -> None:
    with pytest.raises(UnencodableError):
        _press(Profile(name="any", text_mode=mode), Text("金额 \U00013000", is_critical=True))
