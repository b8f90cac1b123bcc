"""Seeded stalls, short writes and pulled cables on every printer link, against the simulated printer.

What the link says was taken has arrived, in order and once; without a pulled cable that is everything.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.escpos.link import PrinterLink
from drivers.links.fd_printer import NodePrinterLink
from drivers.links.opener import Opener
from drivers.links.serial_printer import SerialPrinterPort
from drivers.links.tcp_printer import TcpPrinterLink
from drivers.links.usb_backend import VARIABLE
from drivers.links.usb_bulk import UsbBulkLink
from drivers.links.usb_device import UsbAddress
from drivers.links.usblp_port import UsblpPort
from hil.simulators.printer import PrinterSpec, SimPrinter
from hil.simulators.usb_backend import ENVIRONMENT
from pos_agent.errors import OfflineError
from tests.fakes.waiting import until

LINKS = ("usb", "usblp", "tcp", "serial-rtscts", "serial-xonxoff")
_JOB_BYTES = 9000


def simulated_usb(folder: Path) -> dict[str, str]:
    """Return the variables that make libusb a simulated one, for links over `folder`."""
    return {VARIABLE: "hil.simulators.usb_backend:get_backend", ENVIRONMENT: str(folder / "p")}


def numbered(seed: int) -> bytes:
    """Return a job that prints nothing and in which every piece is different: ``ESC $`` with a counter."""
    return b"".join(b"\x1b$" + ((seed + index) % 65_536).to_bytes(2, "little") for index in range(_JOB_BYTES // 4))


def make_link(name: str, path: Path, sim: SimPrinter) -> PrinterLink:
    opener = Opener()
    match name:
        case "usb":
            address = UsbAddress(sim.spec.vendor_id, sim.spec.product_id)
            return UsbBulkLink(address, on_idle=lambda *_: None, allow_backend_override=True, idle_poll_s=0.05)
        case "tcp":
            return TcpPrinterLink("127.0.0.1", sim.tcp_port, opener=opener, on_idle=lambda *_: None)
        case "usblp":
            return NodePrinterLink(UsblpPort(str(path)), opener=opener, on_idle=lambda *_: None)
        case _:
            port = SerialPrinterPort(str(path), baud=115_200, flow=name.removeprefix("serial-"))
            return NodePrinterLink(port, opener=opener, on_idle=lambda *_: None)


@asynccontextmanager
async def plugged(name: str, folder: Path, *, buffer_bytes: int) -> AsyncIterator[tuple[SimPrinter, PrinterLink]]:
    path = folder / "p"
    spec = PrinterSpec(buffer_bytes=buffer_bytes, is_kanji_default=False)
    sim = SimPrinter(path, speed_factor=10_000, spec=spec, link=name)
    await sim.start()
    link = make_link(name, path, sim)
    try:
        yield sim, link
    finally:
        await link.close()
        await sim.close()


class Trouble:
    """Stalls and a pulled cable, by a seed."""

    def __init__(self, sim: SimPrinter, chance: random.Random) -> None:
        self._sim, self._chance = sim, chance
        self.unplug_at = chance.choice([None, chance.randrange(1, _JOB_BYTES)])

    async def happen(self, accepted: int) -> None:
        if self.unplug_at is not None and accepted >= self.unplug_at:
            self._sim.unplug()
        elif self._chance.random() < 0.2:
            fault = self._chance.choice(["busy", "nak"])
            self._sim.set_fault(fault)
            asyncio.get_running_loop().call_later(self._chance.random() * 0.004, self._sim.clear_fault, fault)


async def run_once(name: str, sim: SimPrinter, link: PrinterLink, seed: int) -> str:
    """Send one job; return what was wrong, empty if nothing."""
    chance = random.Random(seed)
    data = numbered(seed)[: chance.randrange(1, _JOB_BYTES)]
    sim.plug()
    await link.open()
    tape = sim.record()
    trouble, accepted, was_lost = Trouble(sim, chance), 0, False
    try:
        while accepted < len(data):
            accepted += await link.write(data[accepted : accepted + chance.randrange(1, 4096)])
            await trouble.happen(accepted)
        await until(lambda: len(tape) >= len(data) or not sim.is_plugged, timeout_s=10)
        was_lost = not sim.is_plugged
    except (OfflineError, TimeoutError) as error:
        was_lost = isinstance(error, OfflineError)
    await link.close()
    if not was_lost:
        return "" if bytes(tape) == data else f"{len(tape)} of {len(data)} bytes, none was reported lost"
    if trouble.unplug_at is None:
        return "lost without a reason"
    if name == "usb" and len(tape) < accepted:
        return "counted as taken, and never arrived"  # other links have a kernel between, and say `unsent_bytes`
    return "" if data.startswith(bytes(tape)) else "other bytes than were sent"


async def wrong_runs(name: str, folder: Path, count: int) -> list[str]:
    found = []
    for buffer_bytes in (45, 256, 4096, 65_536):
        async with plugged(name, folder, buffer_bytes=buffer_bytes) as (sim, link):
            for index in range(count // 4):
                seed = buffer_bytes * 10_000 + index
                if wrong := await run_once(name, sim, link, seed):
                    found.append(f"{name} seed {seed}: {wrong}")
    return found
