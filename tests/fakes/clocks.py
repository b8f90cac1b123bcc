"""Clocks for tests of journal, sync and broker."""

import time
from datetime import datetime, timedelta

from tests.fakes.samples import START


class ManualClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.wall = START
        self.boottime = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.boottime

    def boottime_s(self) -> float:
        return self.boottime

    def is_trusted(self) -> bool:
        return True

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
