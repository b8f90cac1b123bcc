"""Row 12: a full screen of Han drawn into a framebuffer file, against a copy of the same bytes into it (issue 4)."""

import asyncio
import os
import time
from pathlib import Path

from drivers.display.framebuffer import FramebufferDisplay
from drivers.display.framebuffer_port import FramebufferPort
from drivers.links.opener import Opener
from pos_agent.domain.events import DeviceName
from pos_agent.domain.screen import Screen, make_screen
from tests.bench.measure import Measured, median, percentile

_WIDTH, _HEIGHT, _BITS = 1024, 600, 16
#: Twenty Han characters a line, twelve lines: 240 cells of two, every one changed by the next screen.
_FIRST_HAN = 0x4E00
_DISTINCT = 120


def row(folder: Path, runs: int) -> Measured:
    """Return the row; the file lies in memory where the machine has a tmpfs, as a framebuffer does.

    Args:
        folder: For the file where there is no /dev/shm.
        runs: Screens drawn after the first.
    """
    memory = Path("/dev/shm")
    path = (memory if memory.is_dir() else folder) / f"pa-bench-fb-{os.getpid()}"
    path.write_bytes(bytes(_WIDTH * _HEIGHT * _BITS // 8))
    try:
        cold, warm = asyncio.run(_draw(path, runs))
        floor = _copy(path, runs)
    finally:
        path.unlink()
    ratio = median(warm) / median(floor)
    return Measured(
        number=12,
        what="full Han screen drawn, 1024x600x16",
        figure=f"p50 {median(warm) * 1e3:.1f} ms, p99 {percentile(warm, 0.99) * 1e3:.1f}, first {cold * 1e3:.1f}",
        floor=f"copy of the same bytes p50 {median(floor) * 1e3:.2f} ms",
        ratio=ratio,
        budget="p50 <= 10 ms",
        is_within=median(warm) <= 0.010,
    )


async def _draw(path: Path, runs: int) -> tuple[float, list[float]]:
    """Return the seconds of the first screen (no glyph drawn before) and of those after it."""
    port = FramebufferPort(str(path), geometry=f"{_WIDTH}x{_HEIGHT}x{_BITS}")
    display = FramebufferDisplay(DeviceName.OPERATOR_DISPLAY, port=port, size=(40, 12), opener=Opener())
    await display.open()
    times = []
    for number in range(runs + 2):
        screen = _screen(number)
        started = time.perf_counter()
        display.show(screen)
        times.append(time.perf_counter() - started)
    await display.close()
    return times[0], times[2:]


def _screen(number: int) -> Screen:
    """Return a screen of which every cell differs from that of the last one."""
    lines = [
        "".join(chr(_FIRST_HAN + (line * 20 + column + number * 7) % _DISTINCT) for column in range(20))
        for line in range(12)
    ]
    return make_screen(lines, columns=40, rows=12)


def _copy(path: Path, runs: int) -> list[float]:
    fd = os.open(path, os.O_RDWR)
    data = os.urandom(_WIDTH * _HEIGHT * _BITS // 8)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        os.pwrite(fd, data, 0)
        times.append(time.perf_counter() - started)
    os.close(fd)
    return times
