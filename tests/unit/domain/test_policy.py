"""The four answers of the policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.policy import Answer, Question, Verdict, judge, window_denial

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
POLICY = PolicyConfig()


def ask(**fields: Any) -> Verdict:
    values: dict[str, Any] = {"amount_minor": 100, "refundable_minor": 10_000, "paid_at": NOW, "now": NOW}
    return judge(Question(**{**values, **fields}), POLICY)


def test_judge_plain_refund_is_allowed_without_flags() -> None:
    assert ask() == Verdict(Answer.ALLOW)


@pytest.mark.parametrize(
    ("amount_minor", "refundable_minor", "answer"),
    [
        (20_000, 99_999_999, Answer.ALLOW),
        (20_001, 99_999_999, Answer.OVERRIDABLE),
        (10_000, None, Answer.CONTINGENT),
        (10_001, None, Answer.OVERRIDABLE),  # unverified halves the limit
    ],
)
def test_judge_operator_limit(amount_minor: int, refundable_minor: int | None, answer: Answer) -> None:
    assert ask(amount_minor=amount_minor, refundable_minor=refundable_minor).answer is answer


def test_judge_over_the_supervisors_limit_is_marked_for_finance() -> None:
    verdict = ask(amount_minor=100_001, refundable_minor=200_000)
    assert verdict.answer is Answer.OVERRIDABLE
    assert verdict.flags == ("finance", "over_limit")


def test_judge_more_than_is_left_is_denied_with_the_sum_that_is_left() -> None:
    verdict = ask(amount_minor=701, refundable_minor=700)
    assert (verdict.answer, verdict.code, verdict.parameters) == (Answer.DENY, "over_remainder", {"left": "7.00"})


def test_judge_zero_is_denied() -> None:
    assert ask(amount_minor=0).code == "bad_amount"


@pytest.mark.parametrize(("days", "is_denied"), [(365, False), (366, True)])
def test_judge_window_counts_days(days: int, is_denied: bool) -> None:
    verdict = ask(paid_at=NOW - timedelta(days=days))
    assert (verdict.code == "past_window") is is_denied


def test_judge_untrusted_clock_flags_and_never_blocks() -> None:
    verdict = ask(paid_at=NOW - timedelta(days=4000), now=None)
    assert (verdict.answer, verdict.flags) == (Answer.ALLOW, ("clock_untrusted",))
    assert window_denial(paid_at=NOW - timedelta(days=4000), now=None, policy=POLICY) is None


def test_judge_reason_that_demands_a_supervisor_is_overridable() -> None:
    assert ask(needs_supervisor=True).code == "reason_supervisor"


@pytest.mark.parametrize(("recent", "answer"), [(4, Answer.ALLOW), (5, Answer.OVERRIDABLE)])
def test_judge_sixth_request_in_an_hour_asks_a_supervisor(recent: int, answer: Answer) -> None:
    assert ask(recent_requests=recent).answer is answer
