"""Counts of what came through the tills' cables; see `hil.chaos.wires`. Pure."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from hil.chaos.history import Event


class Frame(StrEnum):
    """What became of a frame that the scanner sent."""

    READ = "read"
    REFUSED = "refused"
    AWAY = "away"
    MISSING = "missing"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of all cables.

    Attributes:
        frames: By `Frame`.
        reopened_s: By device, how long each took from the plug to its use.
        stray_slips: Slips with bytes that the printer does not know: some were lost or added on the way.
    """

    frames: dict[str, int] = {}
    reopened_s: dict[str, list[float]] = {}
    stray_slips: int = 0

    def summary(self) -> str:
        """Return two lines."""
        frames = " ".join(f"{kind}={self.frames.get(kind, 0)}" for kind in Frame)
        times = [
            f"{device} n={len(taken)} median={sorted(taken)[len(taken) // 2]:.2f} slowest={max(taken):.2f}"
            for device, taken in sorted(self.reopened_s.items())
        ]
        first = f"scanner frames={sum(self.frames.values())} {frames}  slips_with_stray_bytes={self.stray_slips}"
        return f"{first}\nplugged in -> in use, s: {'; '.join(times) or 'nothing was pulled'}"


def tally(frames: Iterable[Event], reopened: Iterable[Event], slips: Iterable[Event]) -> Tally:
    """Count what a history says."""
    times: dict[str, list[float]] = {}
    for event in reopened:
        times.setdefault(event["device"], []).append(event["seconds"])
    return Tally(
        frames=Counter(event["outcome"] for event in frames),
        reopened_s=times,
        stray_slips=sum(bool(event.get("stray")) for event in slips),
    )
