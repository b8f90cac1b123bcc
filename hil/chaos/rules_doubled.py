"""What may not happen twice, or unasked (I1, I2, I3, D9, D13)."""

import re
from collections import Counter, defaultdict
from typing import Final

from hil.chaos.case import Case
from hil.chaos.verdict import Violation


def unasked_requests(case: Case) -> list[Violation]:
    """I1: the back office has no request that no till ever showed or printed."""
    return [
        Violation("doubled", "I1", one, f"{case.final[one]}, and no till ever showed it")
        for one in case.final
        if one not in case.seen
    ]


_REFUND_NO: Final = re.compile(r"[A-Z]*98\d{20}")


def other_numbers(case: Case) -> list[Violation]:
    """I1: the refund number is a pure function of the request: nothing but a prefix and its digits."""
    return [
        Violation("doubled", "I1", "", f"refund number {number}")
        for number in case.numbers
        if not _REFUND_NO.fullmatch(number)
    ]


def doubled_money(case: Case) -> list[Violation]:
    """I1: at most one movement a request, under one number."""
    return [
        Violation("doubled", "I1", one, f"{len(moved)} movements under {sorted({m.refund_no for m in moved})}")
        for one, moved in case.moved.items()
        if len(moved) > 1
    ]


def overdrawn_sales(case: Case) -> list[Violation]:
    """I2: no sale gives back more than was left of it."""
    sums: dict[str, int] = defaultdict(int)
    for one, moved in case.moved.items():
        rows = case.rows.get(one)
        if rows:
            sums[rows[-1]["sale_id"]] += sum(movement.amount_minor for movement in moved)
    left = {sale["sale_id"]: sale["paid_minor"] - sale["base_refunded_minor"] for sale in case.by_kind["sale"]}
    return [
        Violation("doubled", "I2", "", f"sale {sale_id} gave back {total} of {left[sale_id]}")
        for sale_id, total in sums.items()
        if sale_id in left and total > left[sale_id]
    ]


def unasked_money(case: Case) -> list[Violation]:
    """I3: money moves only for a request that a till showed and a reviewer approved."""
    approved = {event["request_id"] for event in case.by_kind["asked"] if event["decision"] in ("approve", "retry")}
    found = []
    for one in case.moved:
        if one not in case.seen:
            found.append(Violation("doubled", "I3", one, "moved, and no till ever showed it"))
        if one not in approved:
            found.append(Violation("doubled", "I3", one, "moved, and nobody approved it"))
    return found


_CREATED: Final = frozenset({200, 201})


def doubled_decisions(case: Case) -> list[Violation]:
    """D9: of the decisions made on one version, at most one counts; one on an outdated page never does.

    After a restore the versions since its copy are given out again.
    """
    accepted: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for event in case.by_kind["decision"]:
        if event["status"] in _CREATED:
            life = case.office_life(event["t"])
            accepted[event["request_id"], event["version"], life].append(event["decision"])
    stale = [one for one in case.by_kind["decision"] if one["status"] in _CREATED and one.get("is_stale")]
    return [Violation("doubled", "D9", one["request_id"], "decided on an outdated page") for one in stale] + [
        Violation("doubled", "D9", one, f"version {version} decided {len(kinds)} times: {kinds}")
        for (one, version, _), kinds in accepted.items()
        if len(kinds) > 1
    ]


def doubled_slips(case: Case) -> list[Violation]:
    """D13: the same slip twice says that it is a copy. An older card does not know what was printed since."""
    found = []
    for one, seen in case.seen.items():
        whole = [s for s in seen if not s.is_screen and s.what.is_whole and not s.what.is_copy]
        counts = Counter((s.what.document, s.what.claim, case.card_life(s.till, s.at)) for s in whole)
        found += [
            Violation("doubled", "D13", one, f"{count} unmarked {document} slips")
            for (document, _, _), count in counts.items()
            if count > 1
        ]
    return found
