"""Time as something that is passed in (D19). `pos_agent.app.clock` gives the real one."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """What a room may ask about time."""

    def now(self) -> datetime:
        """Return wall time, UTC-aware. For display and records only, never for waits."""

    def monotonic_s(self) -> float:
        """Return seconds for waits and dead times; never jumps, stops with the process."""

    def boottime_s(self) -> float:
        """Return powered-on seconds since boot (CLOCK_BOOTTIME), for lock-outs and trials."""

    def is_trusted(self) -> bool:
        """Return False until the wall clock was set by NTP or a signed time since boot."""
