"""May this refund be asked for, here and now? Four answers (payments.md sections 5 and 7; trust.md 11).

What the terminal decides is a courtesy to the cashier: the back office decides each rule again and can only tighten.
Pure. An untrusted clock flags, it never blocks and never guesses a window (D19).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.money import format_amount

#: F4: from the sixth request of one operator within an hour a supervisor is asked.
REQUESTS_PER_HOUR: Final = 5


class Answer(StrEnum):
    """How a refund may go on."""

    ALLOW = "allow"
    #: A supervisor, who is another person, may allow it with a PIN.
    OVERRIDABLE = "overridable"
    #: Goes on, but only counts after the back office has found the sale (待核实).
    CONTINGENT = "contingent"
    DENY = "deny"


class Verdict(msgspec.Struct, frozen=True):
    """A policy answer.

    Attributes:
        answer: One of the four.
        code: i18n key ``policy.<code>``; empty with ALLOW.
        parameters: Values for the sentence, such as {"left": "7.00"}.
        flags: Facts for the reviewer that travel in the request.
    """

    answer: Answer
    code: str = ""
    parameters: dict[str, str] = {}
    flags: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged.

    Attributes:
        refundable_minor: What the sale has left; None when it could not be looked up.
        paid_at: When the sale was paid; None when unknown.
        now: Wall time, or None while the clock is not trusted.
        needs_supervisor: The chosen reason demands one.
        recent_requests: Requests of this operator within the last hour.
    """

    amount_minor: int
    refundable_minor: int | None
    paid_at: datetime | None
    now: datetime | None
    needs_supervisor: bool = False
    recent_requests: int = 0


def judge(question: Question, policy: PolicyConfig) -> Verdict:
    """Answer whether the request may be made. The hardest answer wins; flags are collected from all rules."""
    is_unverified = question.refundable_minor is None
    operator_limit, supervisor_limit = limits(policy, is_unverified=is_unverified)
    flags = _flags(question, operator_limit, supervisor_limit)
    denied = amount_denial(question.amount_minor, question.refundable_minor) or window_denial(
        paid_at=question.paid_at, now=question.now, policy=policy
    )
    if denied is not None:
        return denied
    if question.amount_minor > operator_limit:
        sums = {"amount": format_amount(question.amount_minor), "limit": format_amount(operator_limit)}
        return Verdict(Answer.OVERRIDABLE, "over_limit", sums, flags)
    if question.needs_supervisor:
        return Verdict(Answer.OVERRIDABLE, "reason_supervisor", {}, flags)
    if question.recent_requests >= REQUESTS_PER_HOUR:
        return Verdict(Answer.OVERRIDABLE, "too_many", {"count": str(question.recent_requests)}, flags)
    if is_unverified:
        return Verdict(Answer.CONTINGENT, "unverified", {}, flags)
    return Verdict(Answer.ALLOW, flags=flags)


def limits(policy: PolicyConfig, *, is_unverified: bool) -> tuple[int, int]:
    """Return (operator's, supervisor's) limit in minor units; without a look-up they shrink."""
    percent = policy.unverified_percent if is_unverified else 100
    return policy.operator_limit_minor * percent // 100, policy.supervisor_limit_minor * percent // 100


def amount_denial(amount_minor: int, refundable_minor: int | None) -> Verdict | None:
    """Return why the amount cannot be refunded from what is left, or None."""
    if amount_minor <= 0:
        return Verdict(Answer.DENY, "bad_amount")
    if refundable_minor is not None and amount_minor > refundable_minor:
        return Verdict(Answer.DENY, "over_remainder", {"left": format_amount(refundable_minor)})
    return None


def window_denial(*, paid_at: datetime | None, now: datetime | None, policy: PolicyConfig) -> Verdict | None:
    """Return why the sale is too old, or None; without a trusted clock nothing is denied."""
    if paid_at is None or now is None or now - paid_at <= timedelta(days=policy.window_days):
        return None
    return Verdict(Answer.DENY, "past_window", {"days": str(policy.window_days)})


def _flags(question: Question, operator_limit: int, supervisor_limit: int) -> tuple[str, ...]:
    facts = {
        "unverified": question.refundable_minor is None,
        "clock_untrusted": question.now is None,
        "over_limit": question.amount_minor > operator_limit,
        "finance": question.amount_minor > supervisor_limit,
        "frequent": question.recent_requests >= REQUESTS_PER_HOUR,
    }
    return tuple(sorted(name for name, is_true in facts.items() if is_true))
