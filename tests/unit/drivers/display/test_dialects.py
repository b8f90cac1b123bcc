"""Golden bytes of the displays. Sources: ECMA-48; Epson DM-D110 specification 5.4; CD5220 command table."""

import pytest

from drivers.display.ansi import AnsiDialect, KernelConsoleDialect
from drivers.display.cells import Run, changed_runs
from drivers.display.notice import without_han
from drivers.display.serial_vfd import Cd5220Dialect, EpsonDialect, encode_cells
from pos_agent.domain.screen import cell_width, make_screen, pad


def test_ansi_paint_places_each_run() -> None:
    runs = [Run(0, 0, "退款"), Run(11, 5, "x")]

    assert AnsiDialect().paint(runs, ()) == b"\x1b[1;1H\xe9\x80\x80\xe6\xac\xbe\x1b[12;6Hx"


def test_ansi_opening_selects_utf8_hides_cursor_and_clears() -> None:
    opening = AnsiDialect().opening()

    assert opening.startswith(b"\x1b%G")
    assert b"\x1b[?25l" in opening
    assert opening.endswith(b"\x1b[2J")
    assert AnsiDialect().beep == b"\x07"
    assert b"\x1b[?25h" in AnsiDialect().closing()


def test_kernel_console_chinese_screen_shows_a_notice_instead_of_boxes() -> None:
    lines = (pad("确认退款", 20), pad("", 20), pad("", 20), pad("", 20))
    painted = KernelConsoleDialect().paint(changed_runs(None, lines), lines)

    assert painted.isascii()
    assert b"No Chinese here." in painted


def test_display_without_han_tells_the_cashier_what_to_do_and_full_width_signs_are_no_chinese() -> None:
    shown = without_han(make_screen(["确认退款", "￥1.00"], columns=20, rows=4))
    assert [line.strip() for line in shown] == ["No Chinese here.", "Language: FN 4", "", ""]
    assert {cell_width(line) for line in shown} == {20}
    english = make_screen(["REFUND", "￥1.00"], columns=20, rows=4)
    assert without_han(english) == english.lines


def test_kernel_console_english_screen_after_notice_is_whole() -> None:
    lines = (pad("REFUND", 20), pad("OK", 20))

    assert KernelConsoleDialect().paint([Run(1, 0, "OK")], lines) == AnsiDialect().paint(
        [Run(0, 0, lines[0]), Run(1, 0, lines[1])], lines
    )


def test_epson_opening_is_initialise_overwrite_no_cursor_clear() -> None:
    assert EpsonDialect(encoding="gb18030").opening() == b"\x1b@\x1f\x01\x1fC\x00\x0c"


def test_epson_paint_counts_cells_from_one() -> None:
    painted = EpsonDialect(encoding="gb18030").paint([Run(1, 4, "￥1")], ())

    assert painted == b"\x1f\x24\x05\x02\xa3\xa41"


def test_cd5220_paint_writes_whole_changed_lines() -> None:
    lines = (pad("TOTAL", 20), pad("128.00", 20))
    painted = Cd5220Dialect(encoding="ascii").paint([Run(1, 3, "x")], lines)

    assert painted == b"\x1bQB128.00              \r"
    assert Cd5220Dialect(encoding="ascii").opening() == b"\x0c\x1b@"


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("退款 1", "gb18030", "退款 1".encode("gb18030")),
        ("￥3", "ascii", b"Y 3"),
        ("退a", "ascii", b"  a"),  # no row of question marks before the customer's amount
        ("已退，￥3", "ascii", b"    , Y 3"),
        ("é", "ascii", b"?"),
        ("\u00a5", "gb18030", b"?"),  # a 4-byte code: would show as two wrong characters
        ("\U00020000", "gb18030", b"??"),
        ("\x1b[", "ascii", b"?["),  # no command can be smuggled in by text
    ],
)
def test_encode_cells_gives_one_byte_a_cell(text: str, encoding: str, expected: bytes) -> None:
    assert encode_cells(text, encoding) == expected
    assert len(expected) == cell_width(text)
