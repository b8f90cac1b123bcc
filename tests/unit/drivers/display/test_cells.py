"""Which cells are written again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.display.cells import Run, changed_runs
from pos_agent.domain.screen import cell_width, pad


def _apply(before: tuple[str, ...], runs: list[Run], columns: int) -> tuple[str, ...]:
    """Show runs as a terminal does: a wide character takes two cells, writing over half of one destroys it."""
    grid: list[list[str]] = []
    for line in before:
        cells: list[str] = []
        for character in line:
            cells += [character] if cell_width(character) == 1 else [character, ""]
        grid.append(cells)
    for run in runs:
        column = run.column
        for character in run.text:
            width = cell_width(character)
            for taken in range(column, column + width):
                if grid[run.row][taken] == "":
                    grid[run.row][taken - 1] = " "
                elif cell_width(grid[run.row][taken]) == 2:
                    grid[run.row][taken + 1] = " "
            grid[run.row][column : column + width] = [character] if width == 1 else [character, ""]
            column += width
        assert column <= columns
    return tuple("".join(cells) for cells in grid)


def test_changed_runs_nothing_known_writes_every_line() -> None:
    assert changed_runs(None, ("ab", "cd")) == [Run(0, 0, "ab"), Run(1, 0, "cd")]


def test_changed_runs_same_screen_writes_nothing() -> None:
    assert changed_runs(("退款", "ab  "), ("退款", "ab  ")) == []


def test_changed_runs_one_digit_writes_one_cell() -> None:
    assert changed_runs(("Amount: 3_   ",), ("Amount: 35_  ",)) == [Run(0, 9, "5_")]


def test_changed_runs_far_apart_are_two_runs() -> None:
    assert changed_runs(("a          b",), ("x          y",)) == [Run(0, 0, "x"), Run(0, 11, "y")]


def test_changed_runs_near_ones_are_joined() -> None:
    assert changed_runs(("a  b",), ("x  y",)) == [Run(0, 0, "x  y")]


def test_changed_runs_wide_character_is_never_halved() -> None:
    assert changed_runs(("a退b ",), ("退款",)) == [Run(0, 0, "退款")]
    assert changed_runs(("退款 ",), (" 退款",)) == [Run(0, 0, " 退款")]


_LINE = st.text(alphabet="ab 退款￥1", max_size=12).map(lambda text: pad(text, 12))


@settings(max_examples=150, deadline=None)
@given(before=st.tuples(_LINE, _LINE), after=st.tuples(_LINE, _LINE))
def test_changed_runs_applied_to_the_old_screen_give_the_new_one(
    before: tuple[str, str], after: tuple[str, str]
) -> None:
    assert _apply(before, changed_runs(before, after), 12) == after
