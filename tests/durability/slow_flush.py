"""Commits while the loop counts how long it stood still: ``python -m tests.durability.slow_flush FOLDER COUNT``."""

import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, make_request

_TICK_S = 0.02


async def beat(gaps: list[float]) -> None:
    """A key press could wait so long."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        gaps.append(now - last)
        last = now


async def main(folder: Path, count: int) -> None:
    journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    gaps: list[float] = []
    heart = asyncio.create_task(beat(gaps))
    times = []
    for number in range(1, count + 1):
        started = time.monotonic()
        await journal.commit_refund(make_request(number), [])
        times.append(time.monotonic() - started)
    together = time.monotonic()
    await asyncio.gather(*(journal.commit_refund(make_request(number), []) for number in range(101, 121)))
    together = time.monotonic() - together
    heart.cancel()
    with suppress(asyncio.CancelledError):
        await heart
    print(json.dumps({"commit_s": times, "worst_gap_s": max(gaps), "twenty_together_s": together}))
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
