"""A kept history, sorted for judging: what was seen of each request, what moved, and what went back in time."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from hil.chaos.history import Event
from hil.chaos.sightings import Claim, Sighting, read_screen, read_slip

FINAL_CLAIMS: Final = {
    "succeeded": Claim.MOVED,
    "failed": Claim.NEVER,
    "rejected": Claim.NEVER,
    "canceled": Claim.NEVER,
}
_NUMBER: Final = re.compile(r"98\d{20}")


#: What a copy of a card has sent is heard at most this much after its end.
COPY_ECHO_S: Final = 5.0


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


class Case:
    """A history, sorted for judging.

    Attributes:
        rows: Request → states that the back office's list showed, in order, with the row.
        final: Request → state at the end.
        numbers: Refund numbers that the acquirer ever wrote down.
        restores: (made, put back) of each older database of the back office.
        cards: Till → (made, put in) of each older card.
        copies: (till, from, to) while a copy of a card was in use.
        copy_names: As which the copies stand in the history.
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
        self.restores = [(float(one["made"]), float(one["t"])) for one in self.by_kind["restore"]]
        self.cards: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for event in self.by_kind["old_card"]:
            self.cards[event["till"]].append((float(event["made"]), float(event["t"])))
        ends = {one["copy"]: float(one["t"]) for one in self.by_kind["clone_end"]}
        self.copy_names = {str(one["copy"]) for one in self.by_kind["clone"]}
        self.copies = [
            (str(one["till"]), float(one["started"]), ends.get(one["copy"], float("inf")))
            for one in self.by_kind["clone"]
        ]
        self.moved: dict[str, list[Movement]] = defaultdict(list)
        for movement in self.movements:
            self.moved[movement.request_id].append(movement)

    @property
    def request_ids(self) -> list[str]:
        """Return every request that anybody saw."""
        return sorted({*self.seen, *self.rows, *self.moved})

    def office_life(self, at: float) -> int:
        """Return how many older databases had been put back by then."""
        return sum(put_back <= at for _, put_back in self.restores)

    def is_restored_between(self, first: float, last: float) -> bool:
        """Return whether an older database was put back within a time."""
        return any(first <= put_back <= last for _, put_back in self.restores)

    def card_life(self, till: str, at: float) -> tuple[str, int]:
        """Return the card that a till works with: what an older one has forgotten it does not know again."""
        return till, sum(put_in <= at for _, put_in in self.cards.get(till, ()))

    def is_copy_about(self, till: str, at: float) -> bool:
        """Return whether a second card spoke in the name of a till, or could just have."""
        return any(one == till and first <= at <= last + COPY_ECHO_S for one, first, last in self.copies)

    def went_with_a_card(self, request_id: str) -> bool:
        """Return whether an older card replaced the one on which a request was made, and does not know it."""
        first = min(self.seen.get(request_id, ()), key=lambda one: one.at, default=None)
        return first is not None and any(made < first.at <= put_in for made, put_in in self.cards.get(first.till, ()))

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
