"""The simulated printer against jobs that other programs wrote: its paper must say what they meant.

Text is compared with the job's own; bar codes are read back from the picture by zxing-cpp, which knows no ESC/POS.
"""

from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import ImageOps

from hil.simulators.printer.tokens import Tokenizer, TokenKind
from tests.unit.simulators.press import Press

_JOBS = Path(__file__).parents[2] / "data" / "oracles"
_RULE = "─" * 48
_URL = "https://example.com/r/42"
LATIN = [
    "Corner Shop",
    "",
    "Coffee                                      3.50",
    "Croissant                                  12.00",
    _RULE,
    "TOTAL 15.50",
    "4006381333931",
]
HAN = ["退款申请单", "", "订单号 20261120183200", "退款金额 ￥3.00", _RULE, "请保留小票"]
ENCODER = [
    "Corner Shop",
    "Coffee                                      3.50",
    "TOTAL                                      15.50",
    _RULE,
    "Café crème",
]


def codes_seen(press: Press) -> set[str]:
    """Read the codes from the picture; the paper around the print area is white too."""
    picture = ImageOps.expand(press.paper.snapshot().convert("L"), border=40, fill=255)
    return {found.text for found in zxingcpp.read_barcodes(picture)}


def words(lines: list[str]) -> list[list[str]]:
    """Return the words of each line: how far apart they stand is told in dots, and judged by the picture."""
    return [line.split() for line in lines]


@pytest.mark.parametrize(
    ("name", "lines", "codes"),
    [
        ("receiptline-latin", LATIN, {"4006381333931", _URL}),
        ("receiptline-gb18030", HAN, {"981234567890123456"}),
        ("receipt-printer-encoder", ENCODER, {"4006381333931", _URL}),
    ],
)
def test_job_of_another_program_comes_out_as_it_was_meant(name: str, lines: list[str], codes: set[str]) -> None:
    data = (_JOBS / f"{name}.bin").read_bytes()
    press = Press(data)
    assert words(press.lines) == words(lines)
    assert codes_seen(press) == codes
    tokens = list(Tokenizer().feed(data))
    assert b"".join(token.data for token in tokens) == data
    assert [token.data.hex(" ") for token in tokens if token.kind is TokenKind.UNKNOWN] == []


def test_drawn_qr_code_of_receiptline_is_readable() -> None:
    """Sent as `GS 8 L` graphics: placement, order of rows and polarity must all be right."""
    press = Press((_JOBS / "receiptline-latin.bin").read_bytes())
    assert [code.symbology for code in press.codes] == ["CODE128"], "the QR code is a picture here"
    assert _URL in codes_seen(press)


@pytest.fixture(scope="module")
def dummy() -> Any:
    """Return python-escpos' own printer without a device; it writes the bytes that it would send."""
    from escpos.printer import Dummy

    return Dummy()


def test_job_of_python_escpos_comes_out_as_it_was_meant(dummy: Any) -> None:
    dummy.clear()
    dummy.hw("INIT")
    dummy.set(align="center", bold=True, double_height=True, double_width=True)
    dummy.textln("Corner Shop")
    dummy.set(align="left", bold=False, normal_textsize=True)
    dummy.textln("Coffee                                      3.50")
    dummy.textln("Café crème 12,00 €")
    dummy.barcode("{B4711-ab", "CODE128", function_type="B", pos="OFF")
    dummy.textln("\n")  # the codes would touch: no reader takes a code without its quiet zone
    dummy.qr(_URL, native=True, size=4)
    dummy.cut()
    press = Press(bytes(dummy.output))
    assert words([line for line in press.lines if line]) == words(
        ["Corner Shop", "Coffee                                      3.50", "Café crème 12,00 €"]
    )
    assert codes_seen(press) == {"4711-ab", _URL}


def test_picture_of_python_escpos_is_readable(dummy: Any) -> None:
    """A software QR code, as a raster and as columns: two commands, one picture."""
    for implementation in ("bitImageRaster", "bitImageColumn", "graphics"):
        dummy.clear()
        dummy.hw("INIT")
        dummy.qr(_URL, native=False, size=4, image_arguments={"impl": implementation})
        assert codes_seen(Press(bytes(dummy.output))) == {_URL}, implementation
