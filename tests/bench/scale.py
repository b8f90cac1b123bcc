"""What a long history costs: start of the journal and a commit at 10³, 10⁵ and, behind --scale, 10⁶ requests."""

import asyncio
import shutil
import time
from pathlib import Path

from pos_agent.app.clock import SystemClock
from pos_agent.journal.store import Journal
from tests.bench.durability import make_request, slip_maker
from tests.bench.measure import Measured, median
from tests.fakes.journal_filler import fill

_FEW = 1_000
_STARTS, _COMMITS = 7, 100


def rows(folder: Path, *, is_full: bool) -> list[Measured]:
    """Two rows a size; the smallest journal is the floor of the larger ones."""
    found: list[Measured] = []
    floor = asyncio.run(_measure(folder / "few", _FEW))
    for requests in (100_000, 1_000_000) if is_full else (100_000,):
        figures = asyncio.run(_measure(folder / "many", requests))
        for name, figure, base in zip(("start of the journal", "commit"), figures, floor, strict=True):
            found.append(
                Measured(
                    number=3,
                    what=f"{name} at {requests:,} requests",
                    figure=f"p50 {figure * 1e3:.2f} ms",
                    floor=f"at {_FEW:,} requests p50 {base * 1e3:.2f} ms",
                    ratio=figure / base,
                    budget="<= 2x: flat",
                    is_within=figure <= 2 * base,
                )
            )
        shutil.rmtree(folder / "many")
    return found


async def _open(folder: Path) -> Journal:
    return await Journal.open(folder, terminal_id="t-bench-01", boot_id="bench", clock=SystemClock())


async def _measure(folder: Path, requests: int) -> tuple[float, float]:
    """Return the median seconds of a start, first questions of the menu included, and of a commit."""
    journal = await _open(folder)
    await journal.commit_refund(make_request(1), [])
    await journal.close()
    fill(folder, requests)
    starts = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        journal = await _open(folder)
        await journal.outbox_counts()
        await journal.newest_refunds(50)
        starts.append(time.perf_counter() - started)
        await journal.close()
    journal = await _open(folder)
    commits = []
    for number in range(_COMMITS):
        request = make_request(number + 2_000_000)
        slips = slip_maker().request_slips(request)
        started = time.perf_counter()
        await journal.commit_refund(request, slips)
        commits.append(time.perf_counter() - started)
    await journal.close()
    return median(starts), median(commits)
