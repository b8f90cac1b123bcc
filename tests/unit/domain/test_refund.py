"""I9: nothing is claimed about money that is not certain."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pos_agent.domain.refund import (
    FINAL_STATES,
    NOT_MOVED_STATES,
    MoneyMoved,
    MoneyTruth,
    RefundState,
    RefundUpdate,
    money_truth,
)

AT = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)


def update(state: RefundState, moved: MoneyMoved, **fields: Any) -> RefundUpdate:
    return RefundUpdate(refund_request_id="1", state=state, epoch=1, seq=1, money_moved=moved, at=AT, **fields)


@pytest.mark.parametrize(("attempted", "moved"), [(False, MoneyMoved.NO), (True, MoneyMoved.UNKNOWN)])
def test_money_truth_before_the_back_office_spoke_depends_on_the_attempt(attempted: bool, moved: MoneyMoved) -> None:
    truth = money_truth(update=None, was_send_attempted=attempted, is_back_office_present=True)
    assert truth == MoneyTruth(moved)


def test_money_truth_reviewing_with_link_is_no_as_of_its_time() -> None:
    stated = update(RefundState.REVIEWING, MoneyMoved.NO)
    assert money_truth(update=stated, was_send_attempted=True, is_back_office_present=True) == MoneyTruth(
        MoneyMoved.NO, as_of=AT
    )


def test_money_truth_reviewing_without_link_is_unknown() -> None:
    stated = update(RefundState.REVIEWING, MoneyMoved.NO)
    truth = money_truth(update=stated, was_send_attempted=True, is_back_office_present=False)
    assert truth.moved is MoneyMoved.UNKNOWN


@pytest.mark.parametrize("state", sorted(NOT_MOVED_STATES))
def test_money_truth_final_state_without_movement_is_certain(state: RefundState) -> None:
    truth = money_truth(update=update(state, MoneyMoved.UNKNOWN), was_send_attempted=True, is_back_office_present=False)
    assert truth == MoneyTruth(MoneyMoved.NO)


@pytest.mark.parametrize("state", sorted(set(RefundState) - NOT_MOVED_STATES))
def test_money_truth_yes_only_on_succeeded(state: RefundState) -> None:
    truth = money_truth(update=update(state, MoneyMoved.YES), was_send_attempted=True, is_back_office_present=True)
    assert (truth.moved is MoneyMoved.YES) is (state is RefundState.SUCCEEDED)


def test_not_moved_states_are_final() -> None:
    assert NOT_MOVED_STATES < FINAL_STATES
