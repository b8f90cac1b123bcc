"""The real driver on unmodified pyusb, against the simulated printer, under supervisor and spooler."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.escpos.build import build
from drivers.escpos.printer import EscposPrinter
from drivers.links.usb_backend import VARIABLE
from hil.simulators.printer import PrinterSpec, SimPrinter
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import PrinterConfig
from pos_agent.domain.events import DeviceStatusChanged, Event, PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import PrintOutcome, SlipDocument
from pos_agent.printing.spooler import Spooler
from tests.fakes.clocks import ManualClock
from tests.fakes.journal import FakePrintJobs
from tests.fakes.slip_samples import AT

PROFILES = Path(__file__).parents[3] / "config" / "devices"
SPEED_FACTOR = 20
WAIT_S = 15


def fast_profile(folder: Path, name: str) -> Path:
    """Return a shipped profile for a printer that is `SPEED_FACTOR` times as fast."""
    lines = (PROFILES / f"{name}.toml").read_text(encoding="utf-8").split("\n[match]")[0].splitlines()
    fast = {"speed_mm_s": f"speed_mm_s = {125 * SPEED_FACTOR}", "cut_s": "cut_s = 0.05"}
    path = folder / f"{name}.toml"
    path.write_text("\n".join(fast.get(line.split(" ")[0], line) for line in lines), encoding="utf-8")
    return path


class Till:
    """A printer that is driven, and what was told about it."""

    def __init__(self, sim: SimPrinter, printer: EscposPrinter, events: list[Event], changed: asyncio.Event) -> None:
        self.sim = sim
        self.printer = printer
        self.events = events
        self.jobs = FakePrintJobs()
        self.clock = ManualClock(AT)
        self._changed = changed
        self.spooler: Spooler

    def add(self, *documents: SlipDocument) -> None:
        for document in documents:
            self.jobs.add(document, self.clock.wall)

    def outcomes(self) -> list[PrintOutcome]:
        return [event.outcome for event in self.events if isinstance(event, PrintJobEnded)]

    def pauses(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, PrintJobPaused)]

    def codes(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, DeviceStatusChanged)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def observed(condition: Callable[[], bool]) -> None:
    """Return when something inside the simulated printer is so; it has no event for it."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    folder: Path,
    monkeypatch: Any,
    *,
    profile: str = "epson-tm-t20iii",
    text_mode: str = "",
    spec: PrinterSpec | None = None,
    is_plugged: bool = True,
    state_dir: Path | None = None,
) -> AsyncIterator[Till]:
    """Run simulated printer, supervisor and spooler."""
    socket_path = folder / "usb.sock"
    monkeypatch.setenv(VARIABLE, "hil.simulators.usb_backend:get_backend")
    monkeypatch.setenv("POS_AGENT_SIM_USB_SOCKET", str(socket_path))
    events: list[Event] = []
    changed = asyncio.Event()

    def sink(event: Event) -> None:
        events.append(event)
        changed.set()

    sim = SimPrinter(socket_path, speed_factor=SPEED_FACTOR, spec=spec or PrinterSpec())
    await sim.start()
    if not is_plugged:
        sim.unplug()
    config = PrinterConfig(usb="04b8:0e28", profile=profile, text_mode=text_mode)
    printer = build(
        config,
        sink=sink,
        profile_path=fast_profile(folder, profile),
        allow_backend_override=True,
        state_dir=state_dir,
    )
    till = Till(sim, printer, events, changed)
    supervisor = DeviceSupervisor([printer], sink=sink, retry_s=0.05)
    till.spooler = spooler = Spooler(till.jobs, printer, clock=till.clock, sink=sink, expiry_s=3600)
    spooler.allow_results(True)
    tasks = [asyncio.create_task(supervisor.run(), name="supervisor"), asyncio.create_task(spooler.run(), name="spool")]
    try:
        yield till
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sim.close()
