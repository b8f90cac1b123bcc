"""Tells a scanner in keyboard mode from a cashier, without delaying the cashier's keys. Pure.

A scanner types a whole code within milliseconds, and its suffix presses ENTER, which would confirm a refund
(field.md 10). Nobody types six keys with less than 15 ms between them, but a 00 key sends two.

So a key that does not follow another within 15 ms passes at once. One that does is *held* until 15 ms of silence, or a
slower key, show what the run was: a run of 6 keys or more with an ENTER in it is dropped, any other is passed on. The
first key of the first burst has passed by then. It cannot be called back, but the ENTER was held; and from that burst
on the guard is *raised*: every key is held for 15 ms, so that later bursts leave no trace, until a person has typed
alone for a while.
"""

from collections.abc import Iterable

from drivers.keypad.decoder import KeyDown
from drivers.keypad.keycodes import KEY_ENTER, KEY_KPENTER

GAP_S = 0.015
BURST_KEYS = 6
#: A longer run is a machine, with or without ENTER; no more than this is kept of it.
_RUN_KEYS = 256
#: Slow keys after which the guard is lowered again.
_CALM_KEYS = 50
_ENTERS = frozenset({KEY_ENTER, KEY_KPENTER})


class BurstGuard:
    """Feed it keys in order; it returns those that may pass.

    Attributes:
        burst_count: Bursts dropped.
        dropped_key_count: Keys dropped with them.
        is_raised: A burst was seen, and not enough calm typing since.
    """

    def __init__(self) -> None:
        self.burst_count = 0
        self.dropped_key_count = 0
        self.is_raised = False
        self._calm_keys = 0
        self.reset()

    def reset(self) -> None:
        """Forget the run under way, as after opening the node; counters and the raised guard stay."""
        self._held: list[KeyDown] = []
        self._run_length = 0
        self._last_at_s = float("-inf")

    @property
    def has_held(self) -> bool:
        """Return whether keys are held: `end_of_silence` must be called after `GAP_S` without a key."""
        return bool(self._held)

    def feed(self, keys: Iterable[KeyDown]) -> list[KeyDown]:
        """Return the keys that may pass now."""
        passed: list[KeyDown] = []
        for key in keys:
            if 0 <= key.at_s - self._last_at_s < GAP_S:
                self._run_length += 1
                self._hold(key)
            else:
                passed += self.end_of_silence()
                self._run_length = 1
                (self._held if self.is_raised else passed).append(key)
            self._last_at_s = key.at_s
        return passed

    def _hold(self, key: KeyDown) -> None:
        if self._run_length > _RUN_KEYS:
            self.dropped_key_count += 1
        else:
            self._held.append(key)

    def end_of_silence(self) -> list[KeyDown]:
        """End the run: return the held keys, or nothing if they were a burst."""
        held, self._held = self._held, []
        is_burst = self._run_length >= BURST_KEYS and any(key.code in _ENTERS for key in held)
        if is_burst or self._run_length > _RUN_KEYS:
            self.burst_count += 1
            self.dropped_key_count += len(held)
            self.is_raised = True
            self._calm_keys = 0
            self._run_length = 0
            return []
        if self.is_raised and held:
            self._calm_keys += len(held)
            self.is_raised = self._calm_keys < _CALM_KEYS
        return held
