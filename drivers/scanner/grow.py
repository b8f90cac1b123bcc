"""Grow GM65 and GM8xx modules: plain text, answers to commands between it, and a heartbeat. Pure.

These modules hang on UART pins, where pulling the cable is silence and not a hang-up. A module that once answered a
heartbeat and then leaves three unanswered is gone; one that never answered any is left in peace.

Source: GM65 manual, heartbeat: every 10 s, three misses mean that the link is broken (transcribed publicly, not
verified on a device).
"""

from collections.abc import Sequence
from typing import Final

from drivers.scanner.framer import Frame, Garbled, ScanFramer
from drivers.scanner.grow_frame import find_reply, heartbeat
from drivers.scanner.protocol import Counted, Item, Reply, Silent

HEARTBEAT_INTERVAL_S: Final = 10.0
#: How long an answer may take; a module answers within a character or two of 9600 baud, but it may be decoding.
REPLY_TIMEOUT_S: Final = 0.5
_MAX_MISSES: Final = 3


class GrowProtocol:
    """`ScanFramer` with the answers taken out.

    Args:
        framer: Parts the text.
        heartbeat_interval_s: How long a quiet module is left alone.
    """

    def __init__(self, framer: ScanFramer, *, heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S) -> None:
        self._framer = framer
        self._interval_s = heartbeat_interval_s
        self.reset()

    @property
    def has_pending(self) -> bool:
        """Return whether a frame or an answer is under way, or the next heartbeat is to come."""
        return self._framer.has_pending or self._is_awaiting or not self._is_given_up

    @property
    def gap_s(self) -> float:
        """Return how long silence must last for the nearest of these."""
        if self._framer.has_pending:
            return self._framer.gap_s
        return REPLY_TIMEOUT_S if self._is_awaiting else self._interval_s

    def reset(self) -> None:
        """Forget what has arrived and what was asked."""
        self._framer.reset()
        self._held = b""
        self._is_awaiting = False
        self._has_answered = False
        self._is_given_up = False
        self._misses = 0

    def start(self) -> list[Item]:
        """Ask whether it is there."""
        return self._ask()

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes; while an answer is awaited it is taken out of them."""
        if not self._is_awaiting:
            return list(self._framer.feed(data))
        data, self._held = self._held + data, b""
        found = find_reply(data)
        if found is None:
            return list(self._framer.feed(data))
        start, end, reply = found
        items = _items(self._framer.feed(data[:start]))
        if reply is None:
            self._held = data[start:]
            return items
        self._is_awaiting = False
        self._has_answered = True
        self._misses = 0
        return [*items, *self._framer.feed(data[end:])]

    def end_of_silence(self) -> list[Item]:
        """End a frame; count a missed answer; send the next heartbeat."""
        if self._framer.has_pending:
            return _items(self._framer.end_of_silence())
        if self._is_awaiting:
            return self._missed()
        return self._ask()

    def _ask(self) -> list[Item]:
        self._is_awaiting = True
        return [Reply(heartbeat())]

    def _missed(self) -> list[Item]:
        self._is_awaiting = False
        held, self._held = self._held, b""
        items = _items(self._framer.feed(held))
        self._misses += 1
        if self._has_answered:
            items.append(Counted("HeartbeatMissedCount"))
        if self._misses >= _MAX_MISSES:
            self._is_given_up = True
            if self._has_answered:
                items.append(Silent())
        return items


def _items(found: Sequence[Frame | Garbled]) -> list[Item]:
    return list(found)
