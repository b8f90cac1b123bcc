"""Paper and wear: what was used, and how long the rest will last. Pure, but for the file that keeps it.

Counted from the bytes of each job (`drivers.escpos.timing`), so an estimate; UnifiedPOS names them statistics. Written
once a job into a file of its own: losing the last line of it costs nobody money.
"""

import os
from pathlib import Path

import msgspec

from drivers.escpos.timing import Usage

#: Paper on a roll when the near-end sensor trips. Source: devices.md 9 names no figure; 2 m is a cautious one.
NEAR_END_MM = 2_000.0


class Wear(msgspec.Struct, frozen=True, kw_only=True):
    """What one printer has done.

    Attributes:
        identity: Which printer (`drivers.escpos.link.PrinterLink.identity`); another one starts from zero.
        roll_mm: Paper fed since the roll was changed.
        roll_slips: Slips since then.
        total_mm: Paper fed ever: what wears the head.
        cuts: Cuts ever: what wears the knife.
        print_s: Seconds of printing ever.
    """

    identity: str = ""
    roll_mm: float = 0.0
    roll_slips: int = 0
    total_mm: float = 0.0
    cuts: int = 0
    print_s: float = 0.0

    def after_slip(self, usage: Usage, duration_s: float) -> "Wear":
        """Return the state after one more slip."""
        return msgspec.structs.replace(
            self,
            roll_mm=self.roll_mm + usage.paper_mm,
            roll_slips=self.roll_slips + 1,
            total_mm=self.total_mm + usage.paper_mm,
            cuts=self.cuts + usage.cuts,
            print_s=self.print_s + duration_s,
        )

    def after_roll_change(self) -> "Wear":
        """Return the state with a new roll in."""
        return msgspec.structs.replace(self, roll_mm=0.0, roll_slips=0)


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is made for, from its data sheet; 0 = not known.

    Attributes:
        roll_mm: Length of a new roll.
        head_km: Life of the head in km of paper.
        cuts: Life of the knife.
    """

    roll_mm: float = 50_000.0
    head_km: float = 0.0
    cuts: int = 0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What is left; None = not known.

    Attributes:
        paper_mm: On the roll.
        slips: That the roll is good for, of the length of those before.
        head_percent, knife_percent: Of their life used up; over 100 = past it.
    """

    paper_mm: float
    slips: int | None
    head_percent: int | None
    knife_percent: int | None


def forecast(wear: Wear, life: Life, *, is_near_end: bool | None) -> Forecast:
    """Return what is left of roll, head and knife.

    Args:
        wear: So far.
        life: Of this model.
        is_near_end: The sensor; it knows better than the count: a roll may have been put in half used.
    """
    paper_mm = max(life.roll_mm - wear.roll_mm, 0.0)
    if is_near_end:
        paper_mm = min(paper_mm, NEAR_END_MM)
    elif is_near_end is False:
        paper_mm = max(paper_mm, NEAR_END_MM)
    slip_mm = wear.roll_mm / wear.roll_slips if wear.roll_slips else 0.0
    return Forecast(
        paper_mm=paper_mm,
        slips=int(paper_mm // slip_mm) if slip_mm else None,
        head_percent=round(wear.total_mm / life.head_km / 10_000) if life.head_km else None,
        knife_percent=round(100 * wear.cuts / life.cuts) if life.cuts else None,
    )


def load(path: Path, *, identity: str) -> Wear:
    """Return what the file says of this printer; a missing or broken file, or another printer's, counts from zero."""
    try:
        wear = msgspec.json.decode(path.read_bytes(), type=Wear)
    except (OSError, ValueError, RecursionError):  # a power cut can leave any bytes here
        return Wear(identity=identity)
    return wear if wear.identity == identity else Wear(identity=identity)


def save(path: Path, wear: Wear) -> None:
    """Replace the file in one step.

    Raises:
        OSError: The disk is full or read-only; the count goes on in memory.
    """
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(msgspec.json.encode(wear))
    os.replace(new, path)  # noqa: PTH105 - atomic by its own name
