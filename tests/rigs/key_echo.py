"""A keypad whose keys the display shows, measured by a thread, so that a blocked event loop shows."""

import asyncio
import os
import select
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

from drivers.links.fd_printer import NodePrinterLink
from drivers.links.opener import Opener
from pos_agent.domain.events import Event, KeyPressed
from pos_agent.domain.screen import make_screen
from tests.contract.printer_rigs import SimPrinterRig
from tests.contract.rigs import AnsiDisplayRig, EvdevKeypadRig
from tests.fakes.hanging_port import Hanging
from tests.fakes.waiting import until

_KEYS = 200
P99_S = 0.005
#: Other programs share this machine: a round that they disturbed is measured again, a blocking driver fails each.
_ROUNDS = 12


class Echo:
    """A keypad whose keys the display shows."""

    def __init__(self, folder: Path) -> None:
        (folder / "keypad").mkdir()
        (folder / "display").mkdir()
        self.keypad, self.display = EvdevKeypadRig(folder / "keypad"), AnsiDisplayRig(folder / "display")
        self.keypad.device._sink = self._take  # type: ignore[attr-defined]
        self._count = 0

    def _take(self, event: Event) -> None:
        if isinstance(event, KeyPressed):
            self._count += 1
            self.display.device.show(make_screen([f"key {self._count}"], columns=20, rows=4))

    def measure(self) -> list[float]:
        """Press keys, one after the other was echoed; return the seconds that each took. Blocks: for a thread."""
        seven, taken = next(iter(self.keypad._codes.values())), []
        for _ in range(_KEYS):
            started_s = time.perf_counter()
            self.keypad.send(seven, gap_us=400_000)
            ready, _, _ = select.select([self.display.pty.master], [], [], 5)
            taken.append(time.perf_counter() - started_s)
            assert ready, "no echo at all"
            time.sleep(0.0005)
            os.read(self.display.pty.master, 65_536)
        return taken

    async def best_round(self) -> tuple[float, float]:
        """Return p50 and p99 in seconds of the round with the least p99; no more rounds than it takes to keep 5 ms."""
        best = (9.0, 9.0)
        for _ in range(_ROUNDS):
            taken = sorted(await asyncio.to_thread(self.measure))
            best = min(best, (taken[len(taken) // 2], taken[int(len(taken) * 0.99) - 1]), key=lambda found: found[1])
            if best[1] <= P99_S:
                break
        return best


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[Echo]:
    echo = Echo(folder)
    for rig in (echo.keypad, echo.display):
        rig.plug()
        await rig.device.open()
    await asyncio.sleep(0.05)
    echo.display.pty.read_all()
    try:
        yield echo
    finally:
        for rig in (echo.keypad, echo.display):
            await rig.device.close()
            rig.unplug()
        await asyncio.get_running_loop().shutdown_default_executor()


@asynccontextmanager
async def stalled_printer(rig: SimPrinterRig) -> AsyncIterator[None]:
    """Print a job that stands still as long as this lasts."""
    await rig.start()
    rig.plug()
    await rig.device.open()
    rig.sim.set_fault("nak")
    job = asyncio.create_task(rig.device.print_job(b"\x1ba\x00" * 30_000, on_paused=lambda _: None))
    try:
        yield
        assert not job.done(), "the printer did not stall"
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await rig.device.close()
        await rig.stop()


@asynccontextmanager
async def hanging_open() -> AsyncIterator[None]:
    """Open a port that never comes back, again and again."""
    port, opener = Hanging(-1, opens=False, closes=True), Opener()
    link = NodePrinterLink(port, opener=opener, on_idle=lambda *_: None)

    async def supervise() -> None:
        while True:
            await asyncio.gather(link.open(), return_exceptions=True)
            await asyncio.sleep(0.01)

    with mock.patch("drivers.links.node.OPEN_TIMEOUT_S", 0.2):
        opening = asyncio.create_task(supervise())
        try:
            yield
            assert opener.stuck_ports or not opening.done()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            port.is_let_go.set()
            await until(lambda: not any(thread.name == "opener" for thread in threading.enumerate()))
