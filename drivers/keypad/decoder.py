"""From bytes of an event node to keys that went down. Pure.

`struct input_event`: time (seconds, microseconds), type, code, value; value 0 = up, 1 = down, 2 = auto-repeat.
Source: linux/input.h, Documentation/input/event-codes.rst (SYN_DROPPED: ignore up to the next SYN_REPORT, then read
the state of the keys anew).
"""

import struct
from collections.abc import Iterable

import msgspec

from drivers.keypad.keycodes import KEY_KP0

_EVENT = struct.Struct("@llHHi")
EVENT_BYTES = _EVENT.size
_EV_SYN, _EV_KEY = 0x00, 0x01
_SYN_REPORT, _SYN_DROPPED = 0, 3
_UP, _DOWN = 0, 1
#: The same key up and down again faster than a finger: a worn contact. KEY_KP0 twice is the 00 key (field.md 17).
_BOUNCE_S = 0.012


class KeyDown(msgspec.Struct, frozen=True):
    """A key went down. `at_s` is the kernel's time stamp, comparable with others of the same device only."""

    code: int
    at_s: float


class EvdevDecoder:
    """Keeps incomplete events until the rest arrives.

    Attributes:
        dropped_count: Times that the kernel's buffer ran over.
        bounce_count: Presses that a worn contact may have made; reported, never dropped.
        is_stale: The kernel dropped events: `resync` must be told which keys are down.
    """

    def __init__(self) -> None:
        self.dropped_count = 0
        self.bounce_count = 0
        self.reset()

    def reset(self) -> None:
        """Forget half an event and the keys held, as after opening the node; the counters stay."""
        self._rest = b""
        self._is_dropping = False
        self.is_stale = False
        self._down: set[int] = set()
        self._up_at_s: dict[int, float] = {}

    @property
    def down(self) -> frozenset[int]:
        """Return the codes of the keys that are down now."""
        return frozenset(self._down)

    def resync(self, down: Iterable[int]) -> None:
        """Take over which keys are down; call it when `is_stale`.

        A key whose press was dropped is not given as pressed: what was lost with it is unknown, and a digit or a
        confirmation is never made up. The cashier sees on the screen what counts.
        """
        self._down = set(down)
        self._up_at_s.clear()
        self.is_stale = False

    def feed(self, data: bytes) -> list[KeyDown]:
        """Return the keys that went down, in order; auto-repeat and releases are not among them."""
        data = self._rest + data
        whole = len(data) - len(data) % EVENT_BYTES
        self._rest = data[whole:]
        found: list[KeyDown] = []
        for seconds, microseconds, kind, code, value in _EVENT.iter_unpack(data[:whole]):
            if kind == _EV_SYN:
                self._synchronise(code)
            elif kind == _EV_KEY and not self._is_dropping:
                self._key(code, value, seconds + microseconds / 1e6, found)
        return found

    def _key(self, code: int, value: int, at_s: float, found: list[KeyDown]) -> None:
        if value == _UP:
            self._down.discard(code)
            self._up_at_s[code] = at_s
        elif value == _DOWN:
            if code != KEY_KP0 and 0 <= at_s - self._up_at_s.get(code, float("-inf")) < _BOUNCE_S:
                self.bounce_count += 1
            self._down.add(code)
            found.append(KeyDown(code, at_s))

    def _synchronise(self, code: int) -> None:
        if code == _SYN_DROPPED:
            self._is_dropping = True
            self.dropped_count += 1
        elif code == _SYN_REPORT and self._is_dropping:
            self._is_dropping = False
            self.is_stale = True
