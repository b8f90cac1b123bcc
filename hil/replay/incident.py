"""Reads an incident file as its documents describe it (docs/flight-recorder.md); knows nothing of the agent's code."""

from pathlib import Path
from typing import Any, Final

import msgspec

Record = dict[str, Any]
#: What a hand or a cable does; every other trigger is the till's own doing.
KEYS: Final = {
    "dot": "DOT",
    "enter": "ENTER",
    "clear": "CLEAR",
    "cancel": "CANCEL",
    "fn": "FN",
    "next": "NEXT",
    **{f"f{number}": f"F{number}" for number in range(1, 5)},
}
_BY_HAND: Final = frozenset({*KEYS, "digit", "scan"})
#: The bench is signed out or at the menu when it begins, as these are.
_STARTS: Final = ("LOGIN", "MENU")


class NoIncidentError(ValueError):
    """The file is no incident, or holds no place where a replay can begin."""


class Act(msgspec.Struct, kw_only=True):
    """One input, and what the till did of it until the next one.

    Attributes:
        pause_s: Since the input before.
        own: Records that followed without anybody's hand.
    """

    record: Record
    pause_s: float
    own: list[Record]

    @property
    def trigger(self) -> str:
        """Return what happened; ``garbled`` for noise of the scanner."""
        return str(self.record.get("trigger", "garbled"))

    @property
    def data(self) -> Record:
        """Return the input, redacted."""
        data: Record = self.record.get("data", {})
        return data

    @property
    def after(self) -> str:
        """Return the state in which the till came to rest."""
        states = [str(record["after"]) for record in (self.record, *self.own) if "after" in record]
        return states[-1] if states else ""

    def own_data(self, trigger: str, key: str) -> Record:
        """Return a part of the first own step of a trigger; empty if there is none."""
        found = (record["data"].get(key) for record in self.own if record.get("trigger") == trigger)
        return next((part for part in found if part), {})


def read(path: Path) -> tuple[Record, list[Act]]:
    """Return the header and the inputs, from the first place where a replay can begin.

    Raises:
        NoIncidentError: See there.
        OSError: The file cannot be read.
    """
    try:
        header, *records = [msgspec.json.decode(line, type=Record) for line in path.read_bytes().splitlines()]
        if header.get("type") != "header" or header.get("format") != 1:
            raise NoIncidentError(f"{path}: no incident file of format 1")
        begin = next(index for index, record in enumerate(records) if _can_begin(record))
        return header, _acts(records[begin:])
    except (msgspec.DecodeError, ValueError, KeyError, StopIteration) as error:
        reason = f"no incident file: {error}" if str(error) else "no step in which nothing is under way"
        raise NoIncidentError(f"{path}: {reason}") from error


def _can_begin(record: Record) -> bool:
    """Return whether nothing is typed or under way before this record."""
    context = record.get("context", {"typed": "-"})
    is_empty = not any(context.get(name) for name in ("typed", "auth_no", "pin", "is_checking"))
    return record.get("before") in _STARTS and is_empty


def _acts(records: list[Record]) -> list[Act]:
    acts = [
        Act(record={"trigger": "begin", "after": records[0]["before"], "at_s": records[0]["at_s"]}, pause_s=0, own=[])
    ]
    for record in records:
        is_noise = record.get("what") == "ScanGarbled"
        if record.get("trigger") in _BY_HAND or is_noise:
            acts.append(Act(record=record, pause_s=record["at_s"] - acts[-1].record["at_s"], own=[]))
        elif record["type"] == "step":
            acts[-1].own.append(record)
    return acts
