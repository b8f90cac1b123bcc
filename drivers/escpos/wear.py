"""Paper and wear: what was used, and how long the rest will last. Pure; `drivers.escpos.memory` keeps it.

Counted from the bytes of each job (`drivers.escpos.timing`), so an estimate; UnifiedPOS names them statistics.
"""

from typing import Final

import msgspec

from drivers.escpos.profile import Life
from drivers.escpos.timing import Usage

#: Paper on a roll when the near-end sensor trips. Source: devices.md 9 names no figure; 2 m is a cautious one.
NEAR_END_MM: Final = 2_000.0
#: So many slips before the end of the roll the cashier is told: time to fetch the next one.
LOW_SLIPS: Final = 20


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

    @property
    def is_low(self) -> bool:
        """Return whether a new roll should lie ready."""
        return self.slips is not None and self.slips <= LOW_SLIPS

    def statistics(self, *, sees_paper: bool) -> dict[str, int]:
        """Return the figures by name, those that are known.

        Args:
            sees_paper: A sensor tells when a roll is changed; without one, nobody knows what is on the roll.
        """
        named = {
            "PaperLeftMm": round(self.paper_mm) if sees_paper else None,
            "SlipsLeftCount": self.slips if sees_paper else None,
            "HeadWearPercent": self.head_percent,
            "KnifeWearPercent": self.knife_percent,
        }
        return {name: value for name, value in named.items() if value is not None}


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
