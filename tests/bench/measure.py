"""Percentiles, rows and their table."""

import statistics
from collections.abc import Sequence

import msgspec


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        number: Row of the budget.
        floor: What the same machine needs for the unavoidable part, in words with its figure.
        ratio: Figure / floor; None where the budget is absolute.
        is_within: Whether the budget is kept on this machine, now.
    """

    number: int
    what: str
    figure: str
    floor: str
    ratio: float | None
    budget: str
    is_within: bool


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 … 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def table(rows: Sequence[Measured]) -> str:
    """Return the rows as text."""
    lines = [f"{'#':>2}  {'what':44} {'figure':38} {'floor':38} {'ratio':>6}  budget"]
    for row in rows:
        ratio = f"{row.ratio:.2f}x" if row.ratio is not None else "-"
        verdict = "" if row.is_within else "   <-- over"
        lines.append(f"{row.number:>2}  {row.what:44} {row.figure:38} {row.floor:38} {ratio:>6}  {row.budget}{verdict}")
    return "\n".join(lines)
