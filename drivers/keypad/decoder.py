"""From bytes of an event node to keys that went down. Pure.

`struct input_event`: time (seconds, microseconds), type, code, value; value 0 = up, 1 = down, 2 = auto-repeat.
Source: linux/input.h, Documentation/input/event-codes.rst (SYN_DROPPED: ignore up to the next SYN_REPORT).
"""

import struct

import msgspec

_EVENT = struct.Struct("@llHHi")
EVENT_BYTES = _EVENT.size
_EV_SYN, _EV_KEY = 0x00, 0x01
_SYN_REPORT, _SYN_DROPPED = 0, 3
_DOWN = 1


class KeyDown(msgspec.Struct, frozen=True):
    """A key went down. `at_s` is the kernel's time stamp, comparable with others of the same device only."""

    code: int
    at_s: float


class EvdevDecoder:
    """Keeps incomplete events until the rest arrives."""

    def __init__(self) -> None:
        self.dropped_count = 0
        self.reset()

    def reset(self) -> None:
        """Forget half an event, as after opening the node; the counter stays."""
        self._rest = b""
        self._is_dropping = False

    def feed(self, data: bytes) -> list[KeyDown]:
        """Return the keys that went down, in order; auto-repeat and releases are not among them."""
        data = self._rest + data
        whole = len(data) - len(data) % EVENT_BYTES
        self._rest = data[whole:]
        found = []
        for seconds, microseconds, kind, code, value in _EVENT.iter_unpack(data[:whole]):
            if kind == _EV_SYN:
                self._synchronise(code)
            elif kind == _EV_KEY and value == _DOWN and not self._is_dropping:
                found.append(KeyDown(code, seconds + microseconds / 1e6))
        return found

    def _synchronise(self, code: int) -> None:
        if code == _SYN_DROPPED:
            self._is_dropping = True
            self.dropped_count += 1
        elif code == _SYN_REPORT:
            self._is_dropping = False
