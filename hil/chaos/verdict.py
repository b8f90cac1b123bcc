"""What the checker says: broken promises, and what there was to judge."""

import msgspec

from hil.chaos.tally import Tally


class Violation(msgspec.Struct, frozen=True):
    """One broken promise. `kind` is lost, doubled, untrue or leaked."""

    kind: str
    invariant: str
    request_id: str
    text: str


class Report(msgspec.Struct, kw_only=True):
    """The judgement."""

    kills: int = 0
    faults: int = 0
    attacks: int = 0
    refunds: int = 0
    moved: int = 0
    slips: int = 0
    screens: int = 0
    unsettled: str = ""
    wires: Tally = Tally()
    violations: list[Violation] = []

    def count(self, kind: str) -> int:
        """Return how many promises of a kind were broken."""
        return sum(one.kind == kind for one in self.violations)

    @property
    def is_clean(self) -> bool:
        """Return whether every promise held, and there was something to judge."""
        return not self.violations and self.refunds > 0

    def summary(self) -> str:
        """Return a line of promises and two of cables."""
        bad = " ".join(f"{kind}={self.count(kind)}" for kind in ("lost", "doubled", "untrue", "leaked"))
        seen = f"refunds={self.refunds} moved={self.moved} slips={self.slips} screens={self.screens}"
        late = f"\n  not settled in time: {self.unsettled}" if self.unsettled else ""
        return (
            f"kills={self.kills} faults={self.faults} attacks={self.attacks} {seen} {bad}{late}\n{self.wires.summary()}"
        )
