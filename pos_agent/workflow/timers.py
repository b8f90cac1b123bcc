"""The workflow's timers over `loop.call_later`; nothing ticks while nothing is shown that changes."""

import asyncio
from typing import Final

from pos_agent.domain.events import Event, TimerFired

TIMEOUT, COUNTDOWN, SLOW, SECOND, MINUTE = "timeout", "countdown", "lookup_slow", "lookup_second", "minute"
#: Delay until a timer that met a full inbox reports again.
_RETRY_S: Final = 0.1
_NAMES: Final = (TIMEOUT, COUNTDOWN, SLOW, SECOND, MINUTE)


class Timers:
    """Named one-shot timers that put `TimerFired`; a timer that was started again or stopped never reports."""

    def __init__(self, inbox: "asyncio.Queue[Event]") -> None:
        self._inbox = inbox
        self._next_id = 0
        self._running: dict[str, tuple[int, asyncio.TimerHandle]] = {}

    def start(self, name: str, delay_s: float) -> None:
        """Start a timer, or start it again."""
        self.stop(name)
        self._next_id += 1
        event = TimerFired(name, self._next_id)
        handle = asyncio.get_running_loop().call_later(max(0.0, delay_s), self._fire, event)
        self._running[name] = (self._next_id, handle)

    def _fire(self, event: TimerFired) -> None:
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:  # a flood must not cost the time-out: try again, under the same id
            running = self._running.get(event.name)
            if running is not None and running[0] == event.timer_id:
                handle = asyncio.get_running_loop().call_later(_RETRY_S, self._fire, event)
                self._running[event.name] = (event.timer_id, handle)

    def stop(self, name: str) -> None:
        """Stop a timer; nothing happens if it does not run."""
        running = self._running.pop(name, None)
        if running is not None:
            running[1].cancel()

    def stop_all(self) -> None:
        """Stop every timer."""
        for name in _NAMES:
            self.stop(name)

    def take(self, event: TimerFired) -> bool:
        """Return True if `event` is of the timer that runs now, and count it as over."""
        running = self._running.get(event.name)
        if running is None or running[0] != event.timer_id:
            return False
        del self._running[event.name]
        return True
