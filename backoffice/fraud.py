"""Soft rules: what makes a request worth a second look, and of whom (payments.md 7: F4-F8, F10; trust.md 11). Pure.

They are judged when a person opens the request and again, under the lock, when one approves it: a sale that was
imported late or a second request of the same payer counts at once. A hard rule rejects or holds at ingest
(`backoffice.rules`); these tell, and some ask for one approval more.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import msgspec

from backoffice.config import ReviewConfig

#: F5: refunds to one payer within these days.
PAYER_DAYS = 7
PAYER_COUNT = 3
#: F7: each of at least two refunds is this share of a limit, or more, within a day.
SPLIT_SHARE_PERCENT = 80
SPLIT_HOURS = 24
SPLIT_COUNT = 2
#: F8.
FAST = timedelta(minutes=3)


class Other(msgspec.Struct, frozen=True):
    """Another request on the same sale or of the same payer that was neither rejected nor failed nor withdrawn."""

    amount_minor: int
    created_at: datetime
    is_same_payer: bool


class FraudFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at; the request itself is counted nowhere.

    Attributes:
        local_time: Of the request, in the shop's time zone.
        in_shift: Requests of the same person within the shift before this one.
        at_till: Requests of the same till within a day before this one.
        sold_at, sold_by, sold_on: Time, operator number and till of the sale; empty where not known.
    """

    amount_minor: int
    created_at: datetime
    local_time: time
    operator_no: str
    terminal_id: str
    has_supervisor: bool
    in_shift: int
    at_till: int = 0
    others: Sequence[Other] = ()
    sold_at: datetime | None = None
    sold_by: str = ""
    sold_on: str = ""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that speaks against a request.

    Attributes:
        code: i18n key ``suspicion.<code>``: the reason in words, shown beside the decision.
        rule: Its number in payments.md 7.
        parameters: For the sentence.
        raises_level: One approval more is needed.
    """

    code: str
    rule: str
    parameters: dict[str, str] = {}
    raises_level: bool = False


def suspect(facts: FraudFacts, review: ReviewConfig) -> tuple[Suspicion, ...]:
    """Return all that speaks against a request, in the order of the rules' numbers."""
    found = (
        _shift(facts, review),
        _payer(facts),
        _hours(facts, review),
        _split(facts, review),
        _fast(facts),
        _elsewhere(facts),
        _till(facts, review),
    )
    return tuple(each for each in found if each is not None)


def _shift(facts: FraudFacts, review: ReviewConfig) -> Suspicion | None:
    count = facts.in_shift + 1
    if count <= review.max_requests_per_shift:
        return None
    parameters = {"count": str(count), "hours": str(review.shift_hours), "limit": str(review.max_requests_per_shift)}
    return Suspicion(code="shift", rule="F4", parameters=parameters, raises_level=True)


def _payer(facts: FraudFacts) -> Suspicion | None:
    since = facts.created_at - timedelta(days=PAYER_DAYS)
    count = 1 + sum(other.is_same_payer and other.created_at >= since for other in facts.others)
    if count < PAYER_COUNT:
        return None
    return Suspicion(code="payer", rule="F5", parameters={"count": str(count), "days": str(PAYER_DAYS)})


def _hours(facts: FraudFacts, review: ReviewConfig) -> Suspicion | None:
    """F6: the till asks for a supervisor's PIN then; one that did not is told from one that did."""
    if not review.opening_hours or is_open(review.opening_hours, facts.local_time):
        return None
    parameters = {"at": f"{facts.local_time:%H:%M}", "hours": review.opening_hours}
    code = "after_hours" if facts.has_supervisor else "after_hours_alone"
    return Suspicion(code=code, rule="F6", parameters=parameters, raises_level=not facts.has_supervisor)


def is_open(opening_hours: str, at: time) -> bool:
    """Return True if ``HH:MM-HH:MM`` covers a time of day; an end before the start is after midnight.

    Raises:
        ValueError: Not of that form.
    """
    first, _, last = opening_hours.partition("-")
    start, end = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    return start <= at < end if start <= end else at >= start or at < end


def _split(facts: FraudFacts, review: ReviewConfig) -> Suspicion | None:
    """F7: a refund cut into parts that each stay just below a limit."""
    limit = _limit_just_above(facts.amount_minor, review)
    if limit is None:
        return None
    since = facts.created_at - timedelta(hours=SPLIT_HOURS)
    near = [
        other
        for other in facts.others
        if other.created_at >= since and _limit_just_above(other.amount_minor, review) is not None
    ]
    if 1 + len(near) < SPLIT_COUNT:
        return None
    parameters = {"count": str(1 + len(near)), "limit": f"{limit / 100:.2f}", "hours": str(SPLIT_HOURS)}
    return Suspicion(code="split", rule="F7", parameters=parameters, raises_level=True)


def _limit_just_above(amount_minor: int, review: ReviewConfig) -> int | None:
    limits = sorted({*review.till_limits_minor, review.finance_from_minor, review.management_from_minor})
    near = (limit for limit in limits if limit * SPLIT_SHARE_PERCENT <= amount_minor * 100 <= limit * 100)
    return next(near, None)


def _fast(facts: FraudFacts) -> Suspicion | None:
    if facts.sold_at is None or not facts.sold_by or facts.sold_by != facts.operator_no:
        return None
    if not timedelta(0) <= facts.created_at - facts.sold_at < FAST:
        return None
    return Suspicion(code="fast", rule="F8", parameters={"operator": facts.operator_no})


def _elsewhere(facts: FraudFacts) -> Suspicion | None:
    if not facts.sold_on or facts.sold_on == facts.terminal_id:
        return None
    return Suspicion(code="elsewhere", rule="F10", parameters={"sold_on": facts.sold_on, "till": facts.terminal_id})


def _till(facts: FraudFacts, review: ReviewConfig) -> Suspicion | None:
    """What only a till knows (a PIN was given, a code was scanned) is a claim; a stolen one may claim so much a day."""
    count = facts.at_till + 1
    if count <= review.max_requests_per_till_day:
        return None
    parameters = {"count": str(count), "limit": str(review.max_requests_per_till_day)}
    return Suspicion(code="till", rule="T11", parameters=parameters, raises_level=True)
