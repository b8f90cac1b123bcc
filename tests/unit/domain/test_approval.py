"""Which answer is for which question (trust.md 17)."""

from typing import Any

import msgspec
import pytest

from pos_agent.domain.approval import answer_problem
from pos_agent.domain.codes import APPROVAL_PREFIX, ClassifyContext, CodeKind, classify
from tests.fakes.approval_samples import answer, answered, question


def test_answer_to_this_question_fits() -> None:
    assert answer_problem(question(), answer(), operator_person="li") == ""


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"terminal_id": "t-shop-02"}, "other_till"),
        ({"boot_id": "of an earlier start"}, "other_boot"),
        ({"nonce": "fedcba9876543210"}, "spent"),
        ({"refund_request_id": "9800000000000000000097"}, "spent"),
        ({"amount_minor": 32801}, "differs"),
        ({"currency": "USD"}, "differs"),
        ({"sale": "s-000002"}, "differs"),
        ({"person_id": "li"}, "self"),
    ],
)
def test_answer_to_another_question_is_named(fields: dict[str, Any], problem: str) -> None:
    assert answer_problem(question(), answer(**fields), operator_person="li") == problem


def test_question_without_a_look_up_names_the_sale_by_its_number() -> None:
    unknown = msgspec.structs.replace(question(), sale_id="")
    assert unknown.sale == unknown.reference.value


@pytest.mark.parametrize("patterns", [(), (".*",), (r"PA1\..+",)])
@pytest.mark.parametrize("is_known", [False, True])
def test_answer_is_no_number_of_a_sale_whatever_the_shop_takes(patterns: tuple[str, ...], is_known: bool) -> None:
    context = ClassifyContext(today=None, window_days=90, order_patterns=patterns, is_known=is_known)
    code = classify(answered(answer()), "", context=context)
    assert (code.kind, code.value) == (CodeKind.APPROVAL, "")
    assert answered(answer()).startswith(APPROVAL_PREFIX)
