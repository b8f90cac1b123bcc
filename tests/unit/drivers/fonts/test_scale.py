"""Making pictures larger keeps every stroke and every gap."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.fonts.scale import sources, stretch_bits, stretch_rows


def test_stretch_by_one_and_a_half_gives_strokes_of_two_dots_and_gaps_of_one() -> None:
    """Whether a stroke lies on an even or an odd column: 16 → 24 is the Han cell of a receipt printer."""
    assert f"{stretch_bits(0b1010101001010100, 16, 24):024b}" == "110110110110011011011000"


def test_stretch_by_a_whole_number_repeats_each_dot() -> None:
    assert stretch_bits(0b1010, 4, 12) == 0b111000111000
    assert stretch_rows((1, 2), 6) == [1, 1, 1, 2, 2, 2]


def test_stretch_to_fewer_dots_is_refused() -> None:
    with pytest.raises(ValueError, match="small"):
        sources(16, 15)


@settings(max_examples=200)
@given(st.integers(0, 0xFFFF), st.integers(16, 100))
def test_stretch_any_row_keeps_the_number_of_strokes(bits: int, target: int) -> None:
    before = f"{bits:016b}".replace("0", " ").split()
    after = f"{stretch_bits(bits, 16, target):0{target}b}".replace("0", " ").split()
    assert len(after) == len(before)


@settings(max_examples=100)
@given(st.integers(1, 64), st.integers(0, 200))
def test_sources_every_dot_is_used_in_order(size: int, more: int) -> None:
    spans = sources(size, size + more)
    assert {dot for first, last in spans for dot in range(first, last + 1)} == set(range(size))
    assert list(spans) == sorted(spans)
    assert all(last - first <= 1 for first, last in spans)
