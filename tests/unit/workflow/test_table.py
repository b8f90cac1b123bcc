"""The table as data: no silence, no dead ends, and how many keys a refund costs."""

from collections import deque
from pathlib import Path

from pos_agent.workflow.diagram import diagram
from pos_agent.workflow.rows import Next, Row
from pos_agent.workflow.states import DEAD_TIMES_S, KEYS, OBLIGATORY, TIMEOUTS_S, State, Trigger
from pos_agent.workflow.table import TABLE, rows_of

_FREE = frozenset({Trigger.SCAN, Trigger.LOOKUP_DONE, Trigger.COMMITTED, Trigger.PIN_CHECKED})


def test_table_every_state_answers_every_trigger() -> None:
    silent = [(state.value, trigger.value) for state in State for trigger in Trigger if not rows_of(state, trigger)]
    assert silent == []
    assert set(OBLIGATORY) <= set(Trigger)


def test_table_ignored_rows_say_why_and_stand_alone() -> None:
    for row in TABLE:
        if row.ignored:
            assert len(row.ignored) > 8
            assert (row.next, row.guard, row.action) == (Next.STAY, None, None)
            assert rows_of(row.state, row.trigger) == (row,)


def test_table_no_row_stands_behind_one_without_a_guard() -> None:
    for row in TABLE:
        cell = rows_of(row.state, row.trigger)
        assert all(earlier.guard is not None for earlier in cell[: cell.index(row)]), row


def test_table_key_cells_end_without_a_guard_so_that_no_key_is_illegal() -> None:
    for state in State:
        for trigger in KEYS:
            assert rows_of(state, trigger)[-1].guard is None, (state, trigger)


def test_table_every_state_can_be_reached_and_left() -> None:
    moves = [row for row in TABLE if isinstance(row.next, State) and row.next is not row.state]
    assert {row.next for row in moves} >= set(State) - {State.SAFE}
    assert {row.state for row in TABLE if row.next is not Next.STAY} >= set(State) - {State.SAFE}


def test_table_states_wait_for_ever_only_where_nobody_can_do_anything() -> None:
    assert set(State) - set(TIMEOUTS_S) == {State.SAFE, State.SAVING}


def test_table_timeouts_and_dead_times_are_those_of_the_screens_page() -> None:
    minute_steps = {State.SALE: 120, State.REASON: 120, State.AMOUNT: 120, State.CONFIRM: 60, State.SUPERVISOR: 60}
    assert {state: TIMEOUTS_S[state] for state in minute_steps} == minute_steps
    assert (TIMEOUTS_S[State.SCAN], TIMEOUTS_S[State.RESULT], TIMEOUTS_S[State.MENU]) == (180, 10, 600)
    assert DEAD_TIMES_S == {State.CONFIRM: 0.6, State.RESULT: 1.0}


def _costs(start: State, *, through: tuple[State, ...], back_to: State, without: frozenset[Trigger]) -> int:
    """Return the fewest key presses from `start` through states and on to `back_to`, by the table alone."""
    queue: deque[tuple[State, int, int]] = deque([(start, 0, 0)])
    seen: set[tuple[State, int]] = set()
    while queue:
        state, passed, keys = queue.popleft()
        if state is back_to and passed == len(through):
            return keys
        if (state, passed) in seen:
            continue
        seen.add((state, passed))
        for row in TABLE:
            if row.state is not state or not isinstance(row.next, State) or row.trigger in without:
                continue
            is_next = passed < len(through) and row.next is through[passed]
            node = (row.next, passed + is_next, keys + (row.trigger in KEYS))
            (queue.append if row.trigger in KEYS else queue.appendleft)(node)
    raise AssertionError("no way")


_PATH = (State.LOOKUP, State.SALE, State.REASON, State.CONFIRM, State.SAVING, State.RESULT)
_SUBMIT = frozenset({Trigger.TIMEOUT, Trigger.CODE, Trigger.MISREAD})


def test_table_full_refund_by_scan_takes_four_presses() -> None:
    assert _costs(State.MENU, through=_PATH, back_to=State.MENU, without=_SUBMIT) == 4


def test_table_full_refund_takes_three_presses_if_result_closes_itself() -> None:
    assert _costs(State.MENU, through=_PATH, back_to=State.MENU, without=_SUBMIT - {Trigger.TIMEOUT}) == 3


def test_table_full_refund_from_menu_key_one_takes_five_presses() -> None:
    path = (State.SCAN, *_PATH)
    from_menu = [row for row in TABLE if row.state is State.MENU and row.next is State.SCAN]
    assert [row.trigger for row in from_menu] == [Trigger.DIGIT]
    assert _costs(State.MENU, through=path, back_to=State.MENU, without=_SUBMIT) == 5


def test_table_partial_refund_takes_six_presses_with_its_digit() -> None:
    path = (State.LOOKUP, State.SALE, State.AMOUNT, State.REASON, State.CONFIRM, State.SAVING, State.RESULT)
    typed_digits = 1
    assert _costs(State.MENU, through=path, back_to=State.MENU, without=_SUBMIT) + typed_digits == 6


def test_table_money_is_committed_only_on_the_way_to_saving() -> None:
    committing = [row for row in TABLE if _names(row) & {"commit"}]
    assert {(row.state, row.next) for row in committing} == {
        (State.CONFIRM, State.SAVING),
        (State.SUPERVISOR, State.SAVING),
        (State.APPROVAL, State.SAVING),
    }
    assert {row.state for row in TABLE if row.next is State.SAVING} == {
        State.CONFIRM,
        State.SUPERVISOR,
        State.APPROVAL,
    }


def _names(row: Row) -> set[str]:
    return set() if row.action is None else set(row.action.__name__.split(", "))


def test_diagram_page_has_not_drifted_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "workflow-diagram.md"
    assert page.read_text(encoding="utf-8") == diagram(), "run: python -m pos_agent.workflow.diagram > the page"
