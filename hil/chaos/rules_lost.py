"""What may not get lost (I8, D7): requests upwards, ends downwards, and what was acknowledged."""

from collections import defaultdict
from typing import Final

from hil.chaos.case import FINAL_CLAIMS, Case, Seen
from hil.chaos.history import Event
from hil.chaos.verdict import Violation

_RESTING: Final = frozenset({*FINAL_CLAIMS, "coupon_issued", "closed", "abnormal", "manual"})

_KEEPING: Final = frozenset({"stored", "duplicate"})


def lost_upwards(case: Case) -> list[Violation]:
    """I8: what till or paper said is saved is at the back office at the end.

    Only what nobody but a card had goes with that card: no whole slip, no ack.
    """
    acks = [event for event in case.by_kind["wire"] if event["type"] == "ack" and event.get("status") in _KEEPING]
    acked = {event["refund_request_id"] for event in acks}
    return [
        Violation("lost", "I8", one, f"seen at {seen[0].till}, not at the back office")
        for one, seen in case.seen.items()
        if one not in case.final and not _is_on_its_card_only(case, one, seen, acked)
    ]


def _is_on_its_card_only(case: Case, one: str, seen: list[Seen], acked: set[str]) -> bool:
    is_known = one in acked or any(
        sight.what.is_stored or (not sight.is_screen and sight.what.is_whole) for sight in seen
    )
    return not is_known and case.went_with_a_card(one)


def lost_on_the_way(case: Case) -> list[Violation]:
    """I8: everything is settled after the quiet period; a row that was listed once is still there."""
    stuck = [
        Violation("lost", "I8", one, f"still {state}") for one, state in case.final.items() if state not in _RESTING
    ]
    gone = [Violation("lost", "I8", one, "gone from the list") for one in case.rows if one not in case.final]
    return stuck + gone


def lost_downwards(case: Case) -> list[Violation]:
    """I8: the till tells how each request ended, on paper or on the screen; not one that is not on its card."""
    found = []
    for one, state in case.final.items():
        wanted = FINAL_CLAIMS.get(state)
        if wanted is None or case.went_with_a_card(one):
            continue
        told = [seen.what.claim for seen in case.seen.get(one, ()) if seen.till not in case.copy_names]
        if wanted not in told:
            found.append(Violation("lost", "I8", one, f"{state}, and its till never said so"))
    return found


def forgotten_acks(case: Case) -> list[Violation]:
    """D7: what a side acknowledged, it still knows after it was killed. The acks are heard on the wire."""
    return [*_forgotten_states(case), *_forgotten_requests(case)]


def _forgotten_states(case: Case) -> list[Violation]:
    memory = _Memory()
    found = []
    for event in case.events:
        till = str(event.get("till", ""))
        match event.get("type", event["kind"]):
            case "kill":
                memory.kill(event)
            case "old_card":
                memory.replace(till, event["made"])
            case "state.ack" if event.get("status", "stored") in _KEEPING and not case.is_copy_about(till, event["t"]):
                memory.acked[till, event["refund_request_id"]].append((event["epoch"], event["seq"], event["t"]))
            case "sync" if not case.is_copy_about(till, event["t"]):
                found += memory.compare(till, event)
            case _:
                pass
    return found


class _Memory:
    """What each till has acknowledged, and when it was killed last."""

    def __init__(self) -> None:
        self.acked: dict[tuple[str, str], list[tuple[int, int, float]]] = defaultdict(list)
        self._kills: dict[str, tuple[float, int]] = {}
        self._conn_seq: dict[str, int] = defaultdict(int)

    def kill(self, event: Event) -> None:
        """Note a kill, and the last connection before it."""
        self._kills[event["what"]] = (event["t"], self._conn_seq[event["what"]])

    def replace(self, till: str, made: float) -> None:
        """Forget what an older card does not know."""
        for (name, _), acks in self.acked.items():
            if name == till:
                acks[:] = [ack for ack in acks if ack[2] <= made]

    def compare(self, till: str, event: Event) -> list[Violation]:
        """Compare what a till says that it knows with what it acknowledged before it was killed."""
        killed_at, before = self._kills.get(till, (0.0, 0))
        self._conn_seq[till] = max(self._conn_seq[till], event["conn_seq"])
        if event["conn_seq"] <= before:
            return []  # sent in the life before
        found = []
        for item in event.get("items", ()):
            epoch, seq, at = max(self.acked.get((till, item["refund_request_id"]), ()), default=(0, 0, 0.0))
            knows = (item.get("epoch", 0), item.get("seq", 0))
            if at and at < killed_at and knows < (epoch, seq):
                text = f"{till} acknowledged state {epoch}.{seq}, and after a power cut knows {knows[0]}.{knows[1]}"
                found.append(Violation("lost", "D7", item["refund_request_id"], text))
        return found


def _forgotten_requests(case: Case) -> list[Violation]:
    found = []
    stored: dict[str, float] = {}
    for event in case.events:
        kind = event.get("type") if event["kind"] == "wire" else event["kind"]
        if kind == "restore":
            stored = {one: at for one, at in stored.items() if at < event["made"]}
        elif kind == "ack" and event.get("status") in _KEEPING:
            stored.setdefault(event["refund_request_id"], event["t"])
        elif kind == "sync.reply":
            gone = set(stored).intersection(event.get("wanted", ()))
            found += [Violation("lost", "D7", one, "the back office acknowledged it, and asks for it") for one in gone]
            stored = {one: at for one, at in stored.items() if one not in gone}
    return found
