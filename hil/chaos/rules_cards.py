"""What must be noticed (I8, trust.md 8): second cards, older cards, an older database. And what must not be alarmed."""

from typing import Final

from hil.chaos.case import Case
from hil.chaos.verdict import Violation

_CLONE: Final = "clone_suspected"
_WENT_BACK: Final = frozenset({_CLONE, "terminal_went_back"})
_KEPT: Final = frozenset({"stored", "duplicate"})


def copies_are_stopped(case: Case) -> list[Violation]:
    """A copy of a card is never taken for the till: its pages are refused, and nothing else is said to it."""
    boots = {one["boot_id"]: one for one in case.by_kind["clone"] if one["boot_id"]}
    return [
        Violation(
            "doubled", "I8", "", f"a copy of the card of {boots[event['boot_id']]['till']} was taken for the till"
        )
        for event in case.by_kind["wire"]
        if event["type"] == "sync.reply" and event.get("boot_id") in boots
    ]


def refusals_are_alarmed(case: Case) -> list[Violation]:
    """Whoever is refused for an old token, people are told of it once a boot; an older database may lose the alarm.

    The boot ties them together, not the time: a stalled broker brings the refusal seconds after the alarm was read.
    """
    first: dict[tuple[str, str], float] = {}
    for one in case.by_kind["wire"]:
        if one["type"] == "ack" and one.get("about") == "sync":
            first.setdefault((one["till"], one.get("boot_id", "")), one["t"])
    alarmed = {(one["till"], one.get("boot_id", "")) for one in case.by_kind["alarm"] if one["name"] == _CLONE}
    return [
        Violation("lost", "I8", "", f"{till} was refused at {at:.1f}, and nobody was told")
        for (till, boot_id), at in first.items()
        if (till, boot_id) not in alarmed and not _may_be_lost(case, at)
    ]


def losses_are_alarmed(case: Case) -> list[Violation]:
    """A till whose older card has forgotten what the back office has is noticed."""
    found = []
    for till, cards in case.cards.items():
        for made, put_in in cards:
            forgotten = {
                event["refund_request_id"]
                for event in case.by_kind["wire"]
                if event["type"] == "ack" and event["till"] == till and event.get("status") in _KEPT
                if made < _first_seen(case, event["refund_request_id"]) <= event["t"] <= put_in
            }
            if forgotten and not _is_alarmed(case, till, put_in, _WENT_BACK):
                text = f"the card of {till} has forgotten {len(forgotten)} requests, and nobody was told"
                found.append(Violation("lost", "I8", min(forgotten), text))
    return found


def _first_seen(case: Case, request_id: str) -> float:
    return min((one.at for one in case.seen.get(request_id, ())), default=0.0)


def _is_alarmed(case: Case, till: str, since: float, names: frozenset[str]) -> bool:
    """Return whether an alarm was seen, or may have been lost."""
    alarms = [one for one in case.by_kind["alarm"] if one["t"] >= since]
    return any(one["till"] == till and one["name"] in names for one in alarms) or _may_be_lost(case, since)


def _may_be_lost(case: Case, heard: float) -> bool:
    """Return whether an older database was put back after an alarm of this time."""
    return any(put_back >= heard - _HEARD_LATE_S for _, put_back in case.restores)


#: What was decided before a restore may be heard after it: a broker is stalled for three seconds at most.
_HEARD_LATE_S: Final = 10.0


#: Alarm → what it says of a till.
_SUSPICIONS: Final = {
    _CLONE: "was taken for a copy of a card",
    "terminal_went_back": "was said to have forgotten submissions",
    "audit_fork": "was said to have changed its audit chain",
}


def false_alarms(case: Case) -> list[Violation]:
    """A till with its own newest card is under no suspicion, whatever the broker repeats or keeps back."""
    found = []
    for alarm in case.by_kind["alarm"]:
        if alarm["name"] not in _SUSPICIONS:
            continue
        causes = [one for kind in ("clone", "old_card") for one in case.by_kind[kind] if one["till"] == alarm["till"]]
        if not any(one["t"] <= alarm["t"] for one in causes):
            found.append(Violation("untrue", "I8", "", f"{alarm['till']} {_SUSPICIONS[alarm['name']]}"))
    return found


def restores_are_alarmed(case: Case) -> list[Violation]:
    """People are told that the database went back."""
    read = [one["t"] for one in case.by_kind["alarm"] if one["name"] == "restored"]
    later = [put_back for _, put_back in case.restores]
    return [
        Violation("lost", "I8", "", "the database went back, and nobody was told")
        for put_back in later
        if not any(at >= put_back for at in (*read, *(one for one in later if one > put_back)))
    ]
