"""The ESC/POS driver on every link, on the simulated printer: USB, TCP, and ptys for usblp and serial."""

import os
from pathlib import Path

from drivers.contract.rig import PrinterRig, until
from drivers.escpos.build import build
from drivers.links import usb_backend
from hil.simulators import usb_backend as simulated_usb
from hil.simulators.printer import CLONE_PRINTS, PrinterSpec, SimPrinter
from pos_agent.devices.interfaces import POSPrinter
from pos_agent.domain.config import PrinterConfig

_PROFILES = Path(__file__).parents[2] / "config" / "devices"
#: No test waits for paper.
SPEED = 2_000.0
_BACKEND = "hil.simulators.usb_backend:get_backend"


def fast_profile(folder: Path, name: str) -> Path:
    """Copy a shipped profile, with a paper speed that tests can wait for."""
    lines = (_PROFILES / f"{name}.toml").read_text("utf-8").split("\n[match]")[0].splitlines()
    values = {"speed_mm_s": "200000", "cut_s": "0.0002"}
    made = [next((f"{key} = {value}" for key, value in values.items() if line.startswith(key)), line) for line in lines]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(made), "utf-8")
    return path


class SimPrinterRig(PrinterRig):
    """A driver built as the till builds it, and the simulated printer at the other end of the link.

    Attributes:
        link: As `hil.simulators.printer.SimPrinter` names it.
        profile: In config/devices.
        spec: What the simulated model is.
    """

    link = "usb"
    profile = "epson-tm-t20iii"
    #: Names the page of docs/conformance.
    sheet = "printer-epson-tm-t20iii-libusb"
    spec = PrinterSpec(nak_when_offline=True)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._path = folder / "p"
        self._environment = {name: os.environ.get(name) for name in (usb_backend.VARIABLE, simulated_usb.ENVIRONMENT)}
        self.sim = SimPrinter(self._path, speed_factor=SPEED, spec=self.spec, link=self.link)
        self._tape = self.sim.record()

    async def start(self) -> None:
        os.environ.update({usb_backend.VARIABLE: _BACKEND, simulated_usb.ENVIRONMENT: str(self._path)})
        await self.sim.start()
        self.sim.unplug()
        self.device: POSPrinter = build(
            self.config(),
            sink=self.events.append,
            profile_path=fast_profile(self._folder, self.profile),
            allow_backend_override=True,
        )

    async def stop(self) -> None:
        await self.sim.close()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def config(self) -> PrinterConfig:
        return PrinterConfig(usb="04b8:0e28", profile=self.profile)

    def plug(self) -> None:
        self.sim.plug()

    def unplug(self) -> None:
        self.sim.unplug()

    async def see_printed_once(self, data: bytes) -> None:
        await until(lambda: bytes(self._tape).count(data) == 1)

    def end_paper_after(self, count: int) -> None:
        self.sim.end_paper_after(count)

    async def refill(self) -> None:
        self.sim.refill()


class UsbPrinterRig(SimPrinterRig):
    """libusb, a model that answers everything."""


class ClonePrinterRig(SimPrinterRig):
    """libusb, a clone that answers no question and prints what it does not know."""

    sheet = "printer-generic-80mm-libusb"
    profile = "generic-80mm"
    spec = PrinterSpec(nak_when_offline=True, answers=frozenset(), prints=CLONE_PRINTS)


class NarrowClonePrinterRig(SimPrinterRig):
    """libusb, a 58 mm clone."""

    sheet = "printer-generic-58mm-libusb"
    profile = "generic-58mm"
    spec = PrinterSpec(nak_when_offline=True, answers=frozenset(), prints=CLONE_PRINTS, width_dots=384)


class DrawnTextPrinterRig(SimPrinterRig):
    """libusb, a model without Han glyphs."""

    sheet = "printer-raster-80mm-libusb"
    profile = "raster-80mm"
    spec = PrinterSpec(nak_when_offline=True, answers=frozenset(), prints=CLONE_PRINTS, is_kanji_default=False)


class TcpPrinterRig(SimPrinterRig):
    sheet = "printer-epson-tm-t20iii-tcp"
    link = "tcp"

    def config(self) -> PrinterConfig:
        return PrinterConfig(link="tcp", path=f"127.0.0.1:{self.sim.tcp_port}", profile=self.profile)


class UsblpPrinterRig(SimPrinterRig):
    sheet = "printer-epson-tm-t20iii-usblp"
    link = "usblp"

    def config(self) -> PrinterConfig:
        return PrinterConfig(link="usblp", path=str(self._path), profile=self.profile)


class SerialPrinterRig(SimPrinterRig):
    """Held by CTS, as with DTR/DSR or RTS/CTS; a pty has no modem lines, so the kernel itself is held."""

    sheet = "printer-epson-tm-t20iii-serial-rtscts"
    link = "serial-rtscts"
    flow = "rtscts"

    def config(self) -> PrinterConfig:
        return PrinterConfig(link="serial", path=str(self._path), baud=115_200, flow=self.flow, profile=self.profile)


class XonXoffPrinterRig(SerialPrinterRig):
    sheet = "printer-epson-tm-t20iii-serial-xonxoff"
    link = "serial-xonxoff"
    flow = "xonxoff"


PRINTERS: list[type[PrinterRig]] = [
    UsbPrinterRig,
    ClonePrinterRig,
    NarrowClonePrinterRig,
    DrawnTextPrinterRig,
    TcpPrinterRig,
    UsblpPrinterRig,
    SerialPrinterRig,
    XonXoffPrinterRig,
]
