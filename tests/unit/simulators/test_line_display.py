"""Epson DM-D and CD5220 bytes become the text that a person would read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.simulators.display import SimLineDisplay


def shown(data: bytes, *, columns: int = 20, rows: int = 4) -> list[str]:
    display = SimLineDisplay(Path("unused"), columns, rows)
    display._feed(data)
    return display.lines()


def test_epson_position_command_places_text() -> None:
    # 1F 24 x y, 1-based; 0C clears (Epson DM-D command list)
    assert shown(b"old\x0c\x1f\x24\x03\x02REFUND\x1f\x24\x01\x04end") == ["", "  REFUND", "", "end"]


def test_epson_han_characters_take_two_cells_and_appear_once() -> None:
    lines = shown("退款￥12.00".encode("gb18030") + b"\x1f\x24\x01\x02X")
    assert lines == ["退款￥12.00", "X", "", ""]


def test_wide_character_half_overwritten_disappears() -> None:
    assert shown("退款".encode("gb18030") + b"\x1f\x24\x02\x01A")[0] == " A款"


def test_cd5220_string_mode_ignores_commands_until_clear() -> None:
    assert shown(b"\x1bQATOTAL\r\x1bl\x01\x02lost", rows=2) == ["lostL", ""]
    assert shown(b"\x1bQATOTAL\r\x1bQB12.00\r", rows=2) == ["TOTAL", "12.00"]
    assert shown(b"\x1bQATOTAL\r\x0c\x1bl\x02\x02x", rows=2) == ["", " x"]


def test_text_at_the_last_cell_wraps_to_the_first_row() -> None:
    assert shown(b"A" * 20 + b"B" * 20 + b"C", rows=2) == ["C" + "A" * 19, "B" * 20]


def test_vertical_scroll_mode_moves_rows_up() -> None:
    assert shown(b"\x1f\x02" + b"A" * 20 + b"B" * 20 + b"C", rows=2) == ["B" * 20, "C"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        # Epson DM-D: BS HT LF HOM CAN, US LF, US CR, US B
        (b"AB\x08C", ["AC", ""]),
        (b"A\x09B", ["A B", ""]),
        (b"A\x0aB", ["A", " B"]),
        (b"A\x0a\x1f\x0aB", ["AB", ""]),
        (b"AB\x0bC", ["CB", ""]),
        (b"AB\x18C", ["C", ""]),
        (b"\x1f\x0dA", [" " * 19 + "A", ""]),
        (b"\x1fBA", ["", "A"]),
        (b"AB\x0dC", ["CB", ""]),
        # CD5220: ESC [ A up, B down, C right, D left, H home, L line begin, K end
        (b"A\x1b[BB\x1b[AC", ["A C", " B"]),
        (b"A\x1b[CB\x1b[D\x1b[DC", ["ACB", ""]),
        (b"AB\x1b[HC\x1b[LD", ["DB", ""]),
        (b"\x1b[KA", ["", " " * 19 + "A"]),
        # windows and brightness leave the text alone
        (b"\x1bW\x01\x01\x01\x01\x05\x02A\x1bW\x01\x00B\x1b*\x02", ["AB", ""]),
        # out of range is ignored
        (b"\x1f\x24\x63\x01A", ["A", ""]),
    ],
)
def test_cursor_commands_go_where_the_manuals_say(data: bytes, lines: list[str]) -> None:
    assert shown(data, rows=2) == lines


def test_display_without_han_glyphs_uses_its_code_page() -> None:
    display = SimLineDisplay(Path("unused"), 20, 2, encoding="cp858")
    display._feed("café €".encode("cp858"))
    assert display.lines() == ["café €", ""]


def test_unknown_command_is_noted_and_not_shown_as_text() -> None:
    display = SimLineDisplay(Path("unused"))
    display._feed(b"\x1b\x7fok\x07")
    assert (display.lines()[0], display.unknown, display.beeps) == ("ok", ["1b 7f"], 1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_bytes_split_anywhere_give_the_same_text(size: int) -> None:
    data = b"\x1b@\x0c\x1f\x24\x01\x02" + "结果待确认".encode("gb18030") + b"\x1fX\x03\x1bl\x05\x03ok"
    display = SimLineDisplay(Path("unused"))
    for start in range(0, len(data), size):
        display._feed(data[start : start + size])
    assert display.lines() == ["", "结果待确认", "    ok", ""]
    assert display.brightness == 3


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_never_raise_and_rows_keep_their_width(data: bytes) -> None:
    display = SimLineDisplay(Path("unused"), 20, 2)
    display._feed(data)
    assert all(len(row) == 20 for row in display._cells)
