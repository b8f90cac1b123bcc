"""Identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos_agent.domain.identifiers import is_refund_request_id, is_terminal_id, make_refund_request_id, refund_no


@given(st.integers(0, 10**18 - 1))
def test_refund_request_id_any_random_is_valid_and_22_digits(random_18: int) -> None:
    number = make_refund_request_id(random_18)
    assert len(number) == 22
    assert is_refund_request_id(number)


@given(st.integers(0, 10**18 - 1), st.integers(2, 21), st.integers(1, 9))
def test_refund_request_id_one_wrong_digit_is_refused(random_18: int, place: int, shift: int) -> None:
    number = make_refund_request_id(random_18)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not is_refund_request_id(wrong)


@pytest.mark.parametrize(("text", "expected"), [("t-a", True), ("t-", False), ("T-a", False), ("t-" + "a" * 39, False)])
def test_terminal_id_form(text: str, expected: bool) -> None:
    assert is_terminal_id(text) is expected


def test_refund_no_is_a_pure_function_of_prefix_and_id() -> None:
    assert refund_no("327M", "9812345678901234567815") == "327M9812345678901234567815"
