"""Judges a kept history: what the bench saw against what the acquirer moved. Nothing of the product is asked.

Lost: a request that till or paper promised is not at the back office at the end, an approved one is not settled, or
the till never tells how it ended (I8). Doubled: money moved twice, too much or unasked, or a slip came twice unmarked
(I1, I2, I3, D13). Untrue: a screen or slip says what the ledger denies (I9), a final state changed (I5), a chain is
broken (I6). Leaked: a PIN or payment code stands in anything that was kept (I7).
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from hil.chaos.history import HISTORY, LEDGER, Event, read_lines
from hil.chaos.leaks import find_secrets
from hil.chaos.sightings import Claim, Sighting, read_screen, read_slip

#: 钱还没退 is a statement of the back office as of its last word; the till notices a dead link within twice its keep
#: alive of 20 s, and the broker tells of a dead back office after its will delay of 15 s. After that it is a lie.
STALE_S: Final = 60.0
SECRETS: Final = "secrets.json"
#: Held by our own rig, not by the product.
_NOT_SEARCHED: Final = frozenset({SECRETS})
_FINAL_CLAIMS: Final = {
    "succeeded": Claim.MOVED,
    "failed": Claim.NEVER,
    "rejected": Claim.NEVER,
    "canceled": Claim.NEVER,
}
_RESTING: Final = frozenset({*_FINAL_CLAIMS, "coupon_issued", "closed", "abnormal", "manual"})
_NUMBER: Final = re.compile(r"98\d{20}")
_CREATED: Final = frozenset({200, 201})


class Violation(msgspec.Struct, frozen=True):
    """One broken promise. `kind` is lost, doubled, untrue or leaked."""

    kind: str
    invariant: str
    request_id: str
    text: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A sighting with when and where; a screen stands until `until`."""

    at: float
    until: float
    till: str
    is_screen: bool
    what: Sighting


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the acquirer moved."""

    refund_no: str
    request_id: str
    sale_ref: str
    amount_minor: int
    at: float


class Report(msgspec.Struct, kw_only=True):
    """The judgement."""

    kills: int = 0
    faults: int = 0
    attacks: int = 0
    refunds: int = 0
    moved: int = 0
    slips: int = 0
    screens: int = 0
    unsettled: str = ""
    violations: list[Violation] = []

    def count(self, kind: str) -> int:
        """Return how many promises of a kind were broken."""
        return sum(one.kind == kind for one in self.violations)

    @property
    def is_clean(self) -> bool:
        """Return whether every promise held, and there was something to judge."""
        return not self.violations and self.refunds > 0

    def summary(self) -> str:
        """Return one line."""
        bad = " ".join(f"{kind}={self.count(kind)}" for kind in ("lost", "doubled", "untrue", "leaked"))
        seen = f"refunds={self.refunds} moved={self.moved} slips={self.slips} screens={self.screens}"
        late = f"\n  not settled in time: {self.unsettled}" if self.unsettled else ""
        return f"kills={self.kills} faults={self.faults} attacks={self.attacks} {seen} {bad}{late}"


class Case:
    """A history, sorted for judging.

    Attributes:
        rows: Request → states that the back office's list showed, in order, with the row.
        final: Request → state at the end.
        numbers: Refund numbers that the acquirer ever wrote down.
    """

    def __init__(self, history: Iterable[Event], ledger: Iterable[Event]) -> None:
        self.events = list(history)
        self.by_kind: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            self.by_kind[event["kind"]].append(event)
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        for one in itertools.chain(self._screens(), self._slips()):
            self.seen[one.what.request_id].append(one)
        self.seen.default_factory = None  # a rule that asks for an unknown request must not invent it
        for found in self.seen.values():
            found.sort(key=lambda one: one.at)
        self.rows: dict[str, list[Event]] = defaultdict(list)
        for row in self.by_kind["row"]:
            self.rows[row["refund_request_id"]].append(row)
        self.final = {row["refund_request_id"]: str(row["state"]) for row in self.by_kind["final_row"]}
        lines = list(ledger)
        self.numbers = sorted({line["refund_no"] for line in lines})
        self.movements = [_movement(line) for line in lines if line["status"] == "succeeded"]
        self.moved: dict[str, list[Movement]] = defaultdict(list)
        for movement in self.movements:
            self.moved[movement.request_id].append(movement)

    @property
    def request_ids(self) -> list[str]:
        """Return every request that anybody saw."""
        return sorted({*self.seen, *self.rows, *self.moved})

    def _screens(self) -> Iterable[Seen]:
        end = float(self.events[-1]["t"]) if self.events else 0.0
        tills: dict[str, list[Event]] = defaultdict(list)
        for event in self.by_kind["screen"]:
            tills[event["till"]].append(event)
        for till, screens in tills.items():
            for index, event in enumerate(screens):
                what = read_screen(event["lines"])
                if what is not None:
                    until = screens[index + 1]["t"] if index + 1 < len(screens) else end
                    yield Seen(at=event["t"], until=until, till=till, is_screen=True, what=what)

    def _slips(self) -> Iterable[Seen]:
        for event in self.by_kind["slip"]:
            for what in read_slip(event):
                yield Seen(at=event["t"], until=event["t"], till=event["till"], is_screen=False, what=what)


def _movement(line: Event) -> Movement:
    number = _NUMBER.search(line["refund_no"])
    return Movement(
        refund_no=line["refund_no"],
        request_id=number[0] if number else line["refund_no"],
        sale_ref=line["sale_ref"],
        amount_minor=line["amount_minor"],
        at=datetime.fromisoformat(line["at"]).timestamp(),
    )


def check(history: Iterable[Event], ledger: Iterable[Event]) -> Report:
    """Judge a history."""
    case = Case(history, ledger)
    report = Report(
        kills=len(case.by_kind["kill"]),
        faults=len(case.by_kind["fault"]),
        attacks=sum(event["messages"] for event in case.by_kind["attack"]),
        refunds=len(case.request_ids),
        moved=len(case.movements),
        slips=len(case.by_kind["slip"]),
        screens=len(case.by_kind["screen"]),
        unsettled=next((event["why"] for event in case.by_kind["unsettled"]), ""),
    )
    for rule in RULES:
        report.violations += dict.fromkeys(rule(case))
    return report


def check_folder(folder: Path) -> Report:
    """Judge a kept run, and search all its files for secrets."""
    report = check(read_lines(folder / HISTORY), read_lines(folder / LEDGER))
    report.violations += leaks(folder)
    return report


def lost_upwards(case: Case) -> list[Violation]:
    """I8: what till or paper said is saved is at the back office at the end."""
    return [
        Violation("lost", "I8", one, f"seen at {seen[0].till}, not at the back office")
        for one, seen in case.seen.items()
        if one not in case.final
    ]


def lost_on_the_way(case: Case) -> list[Violation]:
    """I8: everything is settled after the quiet period; a row that was listed once is still there."""
    stuck = [
        Violation("lost", "I8", one, f"still {state}") for one, state in case.final.items() if state not in _RESTING
    ]
    gone = [Violation("lost", "I8", one, "gone from the list") for one in case.rows if one not in case.final]
    return stuck + gone


def lost_downwards(case: Case) -> list[Violation]:
    """I8: the till tells how each request ended, on paper or on the screen."""
    found = []
    for one, state in case.final.items():
        wanted = _FINAL_CLAIMS.get(state)
        if wanted is not None and all(seen.what.claim is not wanted for seen in case.seen.get(one, ())):
            found.append(Violation("lost", "I8", one, f"{state}, and its till never said so"))
    return found


def forgotten_acks(case: Case) -> list[Violation]:
    """D7: what a side acknowledged, it still knows after it was killed. The acks are heard on the wire."""
    return [*_forgotten_states(case), *_forgotten_requests(case)]


def _forgotten_states(case: Case) -> list[Violation]:
    found = []
    acked: dict[tuple[str, str], tuple[int, int, float]] = {}
    kills: dict[str, tuple[float, int]] = {}
    conn_seq: dict[str, int] = defaultdict(int)
    for event in case.events:
        till = event.get("till", "")
        if event["kind"] == "kill":
            kills[event["what"]] = (event["t"], conn_seq[event["what"]])
        elif event["kind"] != "wire":
            continue
        elif event["type"] == "state.ack" and event.get("status", "stored") in _KEEPING:
            key = (till, event["refund_request_id"])
            order = (event["epoch"], event["seq"], event["t"])
            acked[key] = max(acked.get(key, order), order)
        elif event["type"] == "sync":
            killed_at, before = kills.get(till, (0.0, 0))
            conn_seq[till] = max(conn_seq[till], event["conn_seq"])
            if event["conn_seq"] <= before:
                continue  # sent in the life before
            for item in event.get("items", ()):
                epoch, seq, at = acked.get((till, item["refund_request_id"]), (0, 0, 0.0))
                knows = (item.get("epoch", 0), item.get("seq", 0))
                if at and at < killed_at and knows < (epoch, seq):
                    text = f"{till} acknowledged state {epoch}.{seq}, and after a power cut knows {knows[0]}.{knows[1]}"
                    found.append(Violation("lost", "D7", item["refund_request_id"], text))
    return found


def _forgotten_requests(case: Case) -> list[Violation]:
    found = []
    stored: set[str] = set()
    for event in case.by_kind["wire"]:
        if event["type"] == "ack" and event.get("status") in _KEEPING:
            stored.add(event["refund_request_id"])
        elif event["type"] == "sync.reply":
            gone = stored.intersection(event.get("wanted", ()))
            found += [Violation("lost", "D7", one, "the back office acknowledged it, and asks for it") for one in gone]
            stored -= gone
    return found


_KEEPING: Final = frozenset({"stored", "duplicate"})


def untrue_stored(case: Case) -> list[Violation]:
    """I9: when a till says 已提交, the back office's list has the request."""
    reads = [(event["began"], event["t"]) for event in case.by_kind["read"]]
    found = []
    for one, seen in case.seen.items():
        said_at = min((sight.at for sight in seen if sight.what.is_stored), default=None)
        if said_at is None:
            continue
        next_read = next((end for began, end in reads if began > said_at), None)
        listed = case.rows[one][0]["t"] if case.rows.get(one) else float("inf")
        if next_read is not None and listed > next_read + _LIST_SLACK_S:
            found.append(Violation("untrue", "I9", one, "said to be at the back office before it was"))
    return found


#: A row is written down this much after its list was read.
_LIST_SLACK_S: Final = 0.2


def untrue_at_the_end(case: Case) -> list[Violation]:
    """I9: once all is settled, what a cashier looks up is how it ended."""
    settled_at = min((event["t"] for event in case.by_kind["settled"]), default=float("inf"))
    found = []
    for one, seen in case.seen.items():
        wanted = _FINAL_CLAIMS.get(case.final.get(one, ""))
        for sight in seen:
            if wanted and sight.is_screen and sight.at > settled_at and sight.what.claim is not wanted:
                text = f"{sight.till} says {sight.what.claim} at the end, it {case.final[one]}"
                found.append(Violation("untrue", "I9", one, text))
                break
    return found


def unasked_requests(case: Case) -> list[Violation]:
    """I1: the back office has no request that no till ever showed or printed."""
    return [
        Violation("doubled", "I1", one, f"{case.final[one]}, and no till ever showed it")
        for one in case.final
        if one not in case.seen
    ]


def other_numbers(case: Case) -> list[Violation]:
    """I1: the refund number is a pure function of the request: nothing but a prefix and its digits."""
    return [
        Violation("doubled", "I1", "", f"refund number {number}")
        for number in case.numbers
        if not _REFUND_NO.fullmatch(number)
    ]


_REFUND_NO: Final = re.compile(r"[A-Z]*98\d{20}")


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


def doubled_decisions(case: Case) -> list[Violation]:
    """D9: of the decisions made on one version, at most one counts; one on an outdated page never does."""
    accepted: dict[tuple[str, int], list[str]] = defaultdict(list)
    for event in case.by_kind["decision"]:
        if event["status"] in _CREATED:
            accepted[event["request_id"], event["version"]].append(event["decision"])
    stale = [one for one in case.by_kind["decision"] if one["status"] in _CREATED and one.get("is_stale")]
    return [Violation("doubled", "D9", one["request_id"], "decided on an outdated page") for one in stale] + [
        Violation("doubled", "D9", one, f"version {version} decided {len(kinds)} times: {kinds}")
        for (one, version), kinds in accepted.items()
        if len(kinds) > 1
    ]


def doubled_slips(case: Case) -> list[Violation]:
    """D13: the same slip twice says that it is a copy."""
    found = []
    for one, seen in case.seen.items():
        whole = [s.what for s in seen if not s.is_screen and s.what.is_whole and not s.what.is_copy]
        for key, group in itertools.groupby(sorted(whole, key=_slip_key), key=_slip_key):
            count = len(list(group))
            if count > 1:
                found.append(Violation("doubled", "D13", one, f"{count} unmarked {key[0]} slips"))
    return found


def _slip_key(what: Sighting) -> tuple[str, str]:
    return what.document, what.claim or ""


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
        if (state == "succeeded") != has_moved and state in _FINAL_CLAIMS:
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
        states = [row["state"] for row in rows] + [case.final.get(one, rows[-1]["state"])]
        changed = [pair for pair in itertools.pairwise(states) if pair[0] in _FINAL_CLAIMS and pair[1] != pair[0]]
        found += [Violation("untrue", "I5", one, f"{before} became {after}") for before, after in changed[:1]]
    for one, seen in case.seen.items():
        claims = [sight.what.claim for sight in seen if sight.is_screen and sight.what.claim is not None]
        back = [pair for pair in itertools.pairwise(claims) if pair[0] in _ENDS and pair[1] is not pair[0]]
        found += [Violation("untrue", "I5", one, f"the screen said {a}, then {b}") for a, b in back[:1]]
    return found


_ENDS: Final = frozenset({Claim.MOVED, Claim.NEVER})


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


#: A page may say 5xx while its database is away.
_DATABASE_AWAY_S: Final = 10.0


def leaks(folder: Path) -> list[Violation]:
    """I7: no PIN and no payment code in any file of the run."""
    path = folder / SECRETS
    if not path.exists():
        return []
    secrets = [str(one) for one in msgspec.json.decode(path.read_bytes())]
    files = find_secrets(folder, secrets, but=_NOT_SEARCHED)
    return [Violation("leaked", "I7", "", f"a secret stands in {name}") for name in files]


def leaks_at_cuts(case: Case) -> list[Violation]:
    """I7: what a power cut leaves on a till's disk holds no secret."""
    found = sorted({(event["till"], event["file"]) for event in case.by_kind["leak"]})
    return [Violation("leaked", "I7", "", f"a secret stood in {name} of {till}") for till, name in found]


RULES: Final[tuple[Callable[[Case], list[Violation]], ...]] = (
    lost_upwards,
    lost_on_the_way,
    lost_downwards,
    forgotten_acks,
    untrue_stored,
    untrue_at_the_end,
    unasked_requests,
    other_numbers,
    doubled_money,
    overdrawn_sales,
    unasked_money,
    doubled_decisions,
    doubled_slips,
    untrue_money,
    untrue_rows,
    untrue_amounts,
    changed_finals,
    failures,
    leaks_at_cuts,
)
