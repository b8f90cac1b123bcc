"""Clocks: one that moves by hand, one that runs."""

import time
from datetime import datetime, timedelta

from tests.fakes.samples import START


class ManualClock:
    """A clock that moves when told."""

    def __init__(self, start: datetime = START) -> None:
        self.wall, self.boottime, self.is_set = start, 1000.0, True

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.boottime

    def boottime_s(self) -> float:
        return self.boottime

    def is_trusted(self) -> bool:
        return self.is_set

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boottime += seconds


class RunningClock:
    """A clock that runs, at a fixed date."""

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return time.monotonic()

    def boottime_s(self) -> float:
        return time.monotonic()

    def is_trusted(self) -> bool:
        return True
