"""The completion ladder: what a printer is asked at the end of a job, and which tiers it still answers (D13).

Asked in order with the job's own bytes, so an answer speaks of everything before it::

    GS ( H 06 00 30 30 d1 d2 d3 d4     answer 37 22 d1 d2 d3 d4 00 when the printing is completed  -> confirmed
    GS r 01                            answer 0xx0xxxx; not executed while off line                -> processed

Source: Epson ESC/POS Command Reference, "GS ( H" function 48 and "GS r"; devices.md section 9. Nothing is sent here.
"""

import logging
import secrets
from collections.abc import Iterator

from drivers.escpos.profile import Profile, Tier

_LOG = logging.getLogger(__name__)
#: GS ( H pL pH fn m: six bytes follow, function 48, transmission of the process id.
_REQUEST_PROCESS_ID = b"\x1d(H\x06\x00\x30\x30"
REQUEST_PAPER_STATUS = b"\x1dr\x01"
_ID_BYTES = 4
#: The command takes 20h to 7Eh; the space is left out, since it cannot be seen in a log.
_FIRST, _DIGITS = 0x21, 0x7E - 0x21 + 1


def process_ids(start: int | None = None) -> Iterator[bytes]:
    """Yield ids of four printable bytes, no two alike within 78 million.

    The start is random: an answer to a job of an earlier run of the daemon may still be on its way.
    """
    number = secrets.randbelow(_DIGITS**_ID_BYTES) if start is None else start
    while True:
        rest, digits = number, bytearray()
        for _ in range(_ID_BYTES):
            rest, digit = divmod(rest, _DIGITS)
            digits.append(_FIRST + digit)
        yield bytes(digits)
        number = (number + 1) % _DIGITS**_ID_BYTES


class Ladder:
    """The tiers of one printer; a tier that stayed silent is not asked again.

    Attributes:
        owed: Answers to ``GS r`` that may still come. They carry no id: while one is owed, the next proves nothing.
        paper_answers: Answers to ``GS r`` so far.
    """

    def __init__(self, profile: Profile, *, ids: Iterator[bytes] | None = None) -> None:
        able = {Tier.CONFIRMED: profile.has_process_id, Tier.PROCESSED: profile.has_transmit_status}
        self._tiers = [tier for tier in Tier if tier.rank <= profile.tier.rank and able.get(tier, True)]
        self._limit = Tier.CONFIRMED
        self._silent: set[Tier] = set()
        self._ids = ids or process_ids()
        self._asked_id = b""
        self._answered_id = b""
        self.owed = 0
        self.paper_answers = 0

    @property
    def tier(self) -> Tier:
        """Return the highest tier that can be claimed if the printer answers."""
        return max(self._open_tiers(), key=lambda tier: tier.rank)

    def _open_tiers(self) -> list[Tier]:
        return [tier for tier in self._tiers if tier not in self._silent and tier.rank <= self._limit.rank]

    def request(self) -> bytes:
        """Return what follows the job's last byte; b"" where only watching proves anything."""
        match self.tier:
            case Tier.CONFIRMED:
                self._asked_id = next(self._ids)
                return _REQUEST_PROCESS_ID + self._asked_id
            case Tier.PROCESSED:
                self.owed += 1
                return REQUEST_PAPER_STATUS
            case _:
                return b""

    @property
    def is_confirmed(self) -> bool:
        """Return whether the id asked for last has come back."""
        return bool(self._asked_id) and self._answered_id == self._asked_id

    def take_process_id(self, identifier: bytes) -> None:
        """Note an id that came back; one that is late opens its tier again: the printer is slow, not silent."""
        self._answered_id = identifier
        if self.is_confirmed and Tier.CONFIRMED in self._silent:
            self._silent.discard(Tier.CONFIRMED)
            _LOG.info("printer answers again tier=%s", Tier.CONFIRMED)

    def take_paper_status(self) -> None:
        """Note an answer to ``GS r``."""
        self.paper_answers += 1

    def settle(self) -> None:
        """Note that an answer came and nothing after it: whatever was owed has come, or never will."""
        self.owed = 0

    def fell_silent(self, tier: Tier) -> None:
        """Remember that nothing came within the deadline."""
        _LOG.warning("printer does not answer, lower tier from now on silent=%s", tier)
        self._silent.add(tier)

    def trust(self, *, is_trusted: bool) -> None:
        """Claim the lowest tier only while this is another printer than a person put there (field.md 18)."""
        self._limit = Tier.CONFIRMED if is_trusted else Tier.SENT
