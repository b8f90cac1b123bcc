"""What may not be said (I4, I5, I6, I9): about money, about where a request is, about how it ended."""

import itertools
from collections import defaultdict
from typing import Final

from hil.chaos.case import FINAL_CLAIMS, Case, Seen
from hil.chaos.history import Event
from hil.chaos.sightings import Claim
from hil.chaos.verdict import Violation

#: 钱还没退 is a statement of the back office as of its last word; the till notices a dead link within twice its keep
#: alive of 20 s, and the broker tells of a dead back office after its will delay of 15 s. After that it is a lie.
STALE_S: Final = 60.0
#: A row is written down this much after its list was read.
_LIST_SLACK_S: Final = 0.2
_ENDS: Final = frozenset({Claim.MOVED, Claim.NEVER})
#: A page may say 5xx while its database is away.
_DATABASE_AWAY_S: Final = 10.0


def untrue_stored(case: Case) -> list[Violation]:
    """I9: when a till says 已提交, the back office's list has the request, unless its database went back since."""
    reads = [(event["began"], event["t"]) for event in case.by_kind["read"]]
    found = []
    for one, seen in case.seen.items():
        said_at = min((sight.at for sight in seen if sight.what.is_stored), default=None)
        if said_at is None:
            continue
        next_read = next((end for began, end in reads if began > said_at), None)
        listed = case.rows[one][0]["t"] if case.rows.get(one) else float("inf")
        if next_read is None or case.is_restored_between(said_at, next_read):
            continue
        if listed > next_read + _LIST_SLACK_S:
            found.append(Violation("untrue", "I9", one, "said to be at the back office before it was"))
    return found


def untrue_at_the_end(case: Case) -> list[Violation]:
    """I9: once all is settled, what a cashier looks up is how it ended."""
    settled_at = min((event["t"] for event in case.by_kind["settled"]), default=float("inf"))
    found = []
    for one, seen in case.seen.items():
        wanted = FINAL_CLAIMS.get(case.final.get(one, ""))
        for sight in seen:
            if wanted and sight.is_screen and sight.at > settled_at and sight.what.claim is not wanted:
                text = f"{sight.till} says {sight.what.claim} at the end, it {case.final[one]}"
                found.append(Violation("untrue", "I9", one, text))
                break
    return found


def untrue_money(case: Case) -> list[Violation]:
    """I9: nothing is said about money that the ledger denies."""
    found = []
    for one, seen in case.seen.items():
        moved = [movement.at for movement in case.moved.get(one, [])]
        first = min(moved, default=float("inf"))
        for sight in seen:
            text = _untrue(sight, first)
            if text:
                where = "screen" if sight.is_screen else "slip"
                found.append(Violation("untrue", "I9", one, f"{where} of {sight.till} at {sight.at:.1f}: {text}"))
                break
    return found


def _untrue(sight: Seen, first_moved_at: float) -> str:
    match sight.what.claim:
        case Claim.MOVED if first_moved_at > sight.at:
            return "says moved, nothing had"
        case Claim.NEVER if first_moved_at < float("inf"):
            return "says that nothing moves, money did"
        case Claim.NOT_YET if first_moved_at + STALE_S < sight.until:
            return f"says not yet {sight.until - first_moved_at:.0f} s after the money moved"
    return ""


def untrue_rows(case: Case) -> list[Violation]:
    """I4, I9: the back office's own word agrees with the ledger."""
    found = []
    for one, state in case.final.items():
        has_moved = bool(case.moved.get(one))
        if (state == "succeeded") != has_moved and state in FINAL_CLAIMS:
            found.append(Violation("untrue", "I4", one, f"{state} at the back office, moved={has_moved}"))
    for row in case.by_kind["final_row"]:
        if row.get("is_trail_whole") is False:
            found.append(Violation("untrue", "I6", row["refund_request_id"], "its audit trail is broken"))
    return found


def untrue_amounts(case: Case) -> list[Violation]:
    """I9: screens, slips, the back office and the ledger name one amount."""
    found = []
    for one in case.request_ids:
        amounts = {seen.what.amount_minor for seen in case.seen.get(one, []) if seen.what.amount_minor}
        amounts |= {row["amount_minor"] for row in case.rows.get(one, [])}
        amounts |= {movement.amount_minor for movement in case.moved.get(one, [])}
        if len(amounts) > 1:
            found.append(Violation("untrue", "I9", one, f"amounts {sorted(amounts)}"))
    return found


def changed_finals(case: Case) -> list[Violation]:
    """I5: what was final once is final for ever, at the back office and on each till's screen."""
    found = []
    for one, rows in case.rows.items():
        for states in _by_life(case, one, rows):
            changed = [pair for pair in itertools.pairwise(states) if pair[0] in FINAL_CLAIMS and pair[1] != pair[0]]
            found += [Violation("untrue", "I5", one, f"{before} became {after}") for before, after in changed[:1]]
    for one, seen in case.seen.items():
        claims: dict[tuple[str, int], list[Claim]] = defaultdict(list)
        for sight in seen:
            if sight.is_screen and sight.what.claim is not None:
                claims[case.card_life(sight.till, sight.at)].append(sight.what.claim)
        pairs = itertools.chain.from_iterable(itertools.pairwise(each) for each in claims.values())
        back = [pair for pair in pairs if pair[0] in _ENDS and pair[1] is not pair[0]]
        found += [Violation("untrue", "I5", one, f"the screen said {a}, then {b}") for a, b in back[:1]]
    return found


def _by_life(case: Case, one: str, rows: list[Event]) -> list[list[str]]:
    """Return the states of a request in each life of the database, each with the last one that its copy must know."""
    lives: list[list[str]] = [[] for _ in range(len(case.restores) + 1)]
    for number, (made, _) in enumerate(case.restores, 1):
        lives[number] += [row["state"] for row in rows if row["t"] < made][-1:]
    for row in rows:
        lives[case.office_life(row["t"])].append(row["state"])
    if one in case.final:
        lives[-1].append(case.final[one])
    return lives


def bill_differs(case: Case) -> list[Violation]:
    """I1, I4: the acquirer's bill agrees with the record in both directions, but for known cases (trust.md 10)."""
    return [
        Violation("untrue", "I4", str(one.get("refund_request_id", "")), f"the bill differs: {one}")
        for event in case.by_kind["bill"]
        for one in event["differences"]
        if one["is_new"]
    ]


def failures(case: Case) -> list[Violation]:
    """Answers 5xx of the back office, and tills in the SAFE state: not money, and not right either."""
    cuts = [event["t"] for event in case.by_kind["kill"] if event["what"] == "database"]
    found = [
        Violation("untrue", "D18", "", f"{one['path']}: {one['text']}")
        for one in case.by_kind["failure"]
        if not any(cut <= one["t"] <= cut + _DATABASE_AWAY_S for cut in cuts)
    ]
    safe = {event["till"] for event in case.by_kind["screen"] if any("本机暂停退款" in line for line in event["lines"])}
    return found + [Violation("untrue", "D18", "", f"{till} went to the SAFE state") for till in sorted(safe)]
