"""Cells: width, clipping, padding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.screen import cell_width, clip, make_screen, pad


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("abc", 3), ("退款", 4), ("￥1", 3), ("a退", 3)])
def test_cell_width_counts_han_and_full_width_twice(text: str, cells: int) -> None:
    assert cell_width(text) == cells


@settings(max_examples=100)
@given(st.text(alphabet="ab退款￥1 ", max_size=30), st.integers(0, 20))
def test_pad_any_text_is_exactly_as_wide_as_asked(text: str, columns: int) -> None:
    assert cell_width(pad(text, columns)) == columns
    assert text.startswith(clip(text, columns))


def test_clip_half_of_a_han_character_is_left_out() -> None:
    assert clip("退款", 3) == "退"


def test_make_screen_fills_up_and_names_the_view() -> None:
    screen = make_screen(["退款", "x"], columns=6, rows=3, view="scan")
    assert screen.lines == ("退款  ", "x     ", "      ")
    assert screen.view == "scan"


def test_make_screen_too_many_lines_is_a_defect() -> None:
    with pytest.raises(ValueError, match="3 lines"):
        make_screen(["1", "2", "3"], columns=5, rows=2)
