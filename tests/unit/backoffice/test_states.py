"""The table of states is whole, final states stay, and no state claims more about money than is certain."""

import pytest

from backoffice.states import (
    EDGES,
    FINAL,
    RESERVING,
    SETTLED,
    WITHDRAWABLE,
    IllegalEdgeError,
    State,
    check_edge,
    money_moved,
    wire_state,
)
from pos_agent.domain.refund import Hold, MoneyMoved, RefundState


@pytest.mark.parametrize("state", sorted(FINAL))
def test_i5_final_state_has_no_edge(state: State) -> None:
    assert state not in EDGES
    for after in State:
        with pytest.raises(IllegalEdgeError):
            check_edge(state, after)


def test_every_other_state_can_end() -> None:
    for state in RESERVING:
        seen, todo = set(), {state}
        while todo:
            here = todo.pop()
            seen.add(here)
            todo |= EDGES.get(here, frozenset()) - seen
        assert seen & FINAL, state


def test_i4_unknown_leaves_only_by_answer_retry_or_persons() -> None:
    assert EDGES[State.UNKNOWN] == {State.EXECUTING, State.SUCCEEDED, State.FAILED, State.ABNORMAL, State.MANUAL}


def test_i9_money_is_no_only_before_a_call_after_a_final_no_or_a_verified_refusal() -> None:
    says_no = {state for state in State if money_moved(state, None) is MoneyMoved.NO}
    assert says_no == WITHDRAWABLE | {State.REJECTED, State.CANCELED, State.FAILED, State.COUPON_ISSUED}
    assert money_moved(State.EXECUTING, Hold.MERCHANT_BALANCE) is MoneyMoved.NO
    assert money_moved(State.EXECUTING, Hold.CHANNEL_DOWN) is MoneyMoved.UNKNOWN


def test_i9_money_is_yes_only_on_succeeded() -> None:
    assert {state for state in State if money_moved(state, None) is MoneyMoved.YES} == {State.SUCCEEDED}
    assert money_moved(State.CLOSED, None, MoneyMoved.NO) is MoneyMoved.NO
    assert money_moved(State.CLOSED, None) is MoneyMoved.UNKNOWN


def test_wire_state_of_what_tills_do_not_know_is_what_it_means_to_them() -> None:
    assert {wire_state(state) for state in State} <= set(RefundState)
    assert wire_state(State.HELD) is wire_state(State.APPROVED) is RefundState.REVIEWING
    assert wire_state(State.MANUAL) is RefundState.UNKNOWN


def test_i2_every_state_reserves_settles_or_frees() -> None:
    assert set(State) == RESERVING | FINAL
    assert not RESERVING & FINAL
    assert SETTLED <= FINAL
