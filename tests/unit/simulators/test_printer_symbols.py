"""An independent decoder (zxing-cpp) reads the bar codes that the simulated printer drew."""

import pytest
import zxingcpp

from hil.simulators.printer import symbols
from tests.unit.simulators.press import Press


def decoded(press: Press) -> list[tuple[str, str]]:
    found = zxingcpp.read_barcodes(press.paper.snapshot().convert("L"))
    return [(code.format.name, code.text) for code in found]


CENTER = b"\x1b@\x1ba\x01\n\x1dh\x60\x1dw\x02"


@pytest.mark.parametrize(
    ("command", "symbology", "data", "read_as"),
    [
        # 22 digits in set C: the bytes are values, not characters
        (
            b"\x1dk\x49\x0d{C" + bytes([98, 1, 23, 45, 67, 89, 1, 23, 45, 67, 89]),
            "CODE128",
            "9801234567890123456789",
            ("Code128", "9801234567890123456789"),
        ),
        (b"\x1dk\x49\x0b{BNo.{{1}aZ", "CODE128", "No.{1}aZ", ("Code128", "No.{1}aZ")),
        (b"\x1dk\x49\x0c{AAB{C\x0c\x22{B-z", "CODE128", "AB1234-z", ("Code128", "AB1234-z")),
        (b"\x1dk\x02690123456789\x00", "EAN13", "6901234567892", ("EAN13", "6901234567892")),
        (b"\x1dk\x43\x0d6901234567892", "EAN13", "6901234567892", ("EAN13", "6901234567892")),
        (b"\x1dk\x44\x079638507", "EAN8", "96385074", ("EAN8", "96385074")),
        # The decoder gives the EAN-13 that a UPC stands for
        (b"\x1dk\x41\x0b03600029145", "UPCA", "036000291452", ("EAN13", "0036000291452")),
        (b"\x1dk\x42\x06042526", "UPCE", "00425261", ("UPCE", "0004252000061")),
        (b"\x1dk\x42\x0b00425200006", "UPCE", "00425261", ("UPCE", "0004252000061")),
        (b"\x1dk\x45\x08REF-1 A$", "CODE39", "REF-1 A$", ("Code39", "REF-1 A$")),
        (b"\x1dk\x46\x0812345678", "ITF", "12345678", ("ITF", "12345678")),
        (b"\x1dk\x47\x08A12-34.B", "CODABAR", "A12-34.B", ("Codabar", "A12-34.B")),
    ],
)
def test_linear_code_drawn_is_read_by_an_independent_decoder(
    command: bytes, symbology: str, data: str, read_as: tuple[str, str]
) -> None:
    press = Press(CENTER + command + b"\n")
    assert [(code.symbology, code.data) for code in press.codes] == [(symbology, data)]
    assert decoded(press) == [read_as]


@pytest.mark.parametrize("level", [48, 49, 50, 51])
def test_qr_drawn_is_read_by_an_independent_decoder(level: int) -> None:
    body = "https://example.org/退款?id=1".encode()
    store = b"\x1d(k" + (len(body) + 3).to_bytes(2, "little") + b"\x31\x50\x30" + body
    press = Press(
        CENTER
        + b"\n\x1d(k\x03\x00\x31\x43\x06\x1d(k\x03\x00\x31\x45"
        + bytes([level])
        + store
        + b"\x1d(k\x03\x00\x31\x51\x30\n\n"
    )
    assert [(code.symbology, code.data) for code in press.codes] == [("QRCODE", body.decode())]
    assert [text for _, text in decoded(press)] == [body.decode()]


def test_request_number_in_code128_c_is_352_dots_wide() -> None:
    # design.md D5's number: start, 11 pairs, check, stop = 13 × 11 + 11 + 13 modules, 2 dots each, plus quiet zones
    modules, text = symbols.code128(b"{C" + bytes([98, 12, 34, 56, 78, 90, 12, 34, 56, 78, 11]))
    assert text == "9812345678901234567811"
    assert len(modules) == 11 * 13 + 13


@pytest.mark.parametrize(
    "command",
    [b"\x1dk\x49\x0412.4", b"\x1dk\x43\x0469x1", b"\x1dk\x46\x03123", b"\x1dk\x47\x0212", b"\x1dk\x49\x03{C\x70"],
)
def test_code_that_cannot_be_encoded_prints_a_mark_and_no_symbol(command: bytes) -> None:
    press = Press(CENTER + command + b"\n")
    assert press.codes == []
    assert press.lines[0].startswith("‹")


def test_code_wider_than_the_paper_is_not_printed() -> None:
    press = Press(b"\x1b@\x1dw\x06\x1dk\x49\x12{B0123456789abcdef\n")
    assert press.codes == []
    assert press.lines == ["‹CODE128 too wide›"]


def test_readable_text_stands_where_it_was_asked_for() -> None:
    assert Press(CENTER + b"\x1dH\x02\x1dk\x44\x079638507").lines == ["96385074"]
    assert Press(CENTER + b"\x1dH\x00\x1dk\x44\x079638507").lines == []


def test_pdf417_is_shown_as_a_mark_with_its_data() -> None:
    press = Press(b"\x1d(k\x06\x00\x30\x50\x30ABC\x1d(k\x03\x00\x30\x51\x30")
    assert press.lines == ["‹PDF417 ABC›"]
