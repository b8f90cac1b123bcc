"""Scanner families over a pty: the driver as the till builds it, on a simulator that knows the manual only."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec

from drivers.links.opener import Opener
from drivers.scanner.serial_scanner import SerialScanner
from hil.simulators.port import SerialPort
from hil.simulators.scanner import SimScanner
from hil.simulators.scanner_ack_nak import SimAckNakScanner
from hil.simulators.scanner_command import DATALOGIC, HONEYWELL, NEWLAND, Commands, SimCommandScanner
from hil.simulators.scanner_grow import SimGrowScanner
from hil.simulators.scanner_ssi import SimSsiScanner
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import ScanRead
from tests.contract.rigs import ScannerRig
from tests.fakes.waiting import until


class WireScannerRig(ScannerRig):
    """A driver on a simulator's port.

    Attributes:
        sheet: Names the conformance sheet.
        config: What the till is told; the path is added.
    """

    sheet = ""
    config = ScannerConfig()

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "scanner"
        self.values = msgspec.structs.replace(self.config, path=str(self.path))
        self.driver = SerialScanner(self.values, sink=self.events.append, opener=Opener())
        self.device = self.driver
        self.port = self.make_port()

    def make_port(self) -> SerialPort:
        """Make the simulator and return its port."""
        raise NotImplementedError

    def plug(self) -> None:
        self.port.plug()

    def unplug(self) -> None:
        self.port.unplug()

    async def open(self) -> None:
        """Plug in and open; ready to scan."""
        self.plug()
        await self.driver.open()

    async def scan(self, label: str) -> None:
        await self.scan_bytes(label.encode())

    async def scan_bytes(self, data: bytes) -> None:
        """Scan a code of these bytes."""
        raise NotImplementedError

    async def cut_off(self, data: bytes) -> None:
        """Send the first part of a code only."""
        await self.port.write(data)

    @property
    def labels(self) -> list[str]:
        """Return what was read, in order."""
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]

    def count(self, name: str) -> int:
        """Return a counter of the driver."""
        return self.driver.counters.get(name, 0)


class PlainRig(WireScannerRig):
    sheet = "scanner-plain"
    suffix = b"\r"

    def make_port(self) -> SerialPort:
        self.sim = SimScanner(self.path)
        return self.sim.port

    async def scan_bytes(self, data: bytes) -> None:
        await self.sim.send(data, suffix=self.suffix)


class CommandRig(WireScannerRig):
    """A plain unit of a maker whose commands are data; the unit's own answers must not disturb the text."""

    commands: ClassVar[Commands] = {}

    def make_port(self) -> SerialPort:
        self.sim = SimCommandScanner(self.path, self.commands)
        return self.sim.port

    async def scan_bytes(self, data: bytes) -> None:
        await self.sim.scan(data)


class HoneywellRig(CommandRig):
    sheet = "scanner-honeywell"
    commands: ClassVar[Commands] = HONEYWELL


class DatalogicRig(CommandRig):
    sheet = "scanner-datalogic"
    commands: ClassVar[Commands] = DATALOGIC


class NewlandRig(CommandRig):
    sheet = "scanner-newland"
    commands: ClassVar[Commands] = NEWLAND


class NoSuffixRig(PlainRig):
    """A scanner without suffix: silence ends each code, and codes are scanned one after the other."""

    sheet = "scanner-plain-no-suffix"
    suffix = b""
    config = ScannerConfig(suffix="idle", idle_gap_ms=20)

    async def scan_bytes(self, data: bytes) -> None:
        seen = len(self.events) + self.count("RereadScanCount")
        await self.sim.send(data, suffix=b"")
        if self.sim.is_open:
            await until(lambda: len(self.events) + self.count("RereadScanCount") > seen)


class AckNakRig(WireScannerRig):
    sheet = "scanner-ack-nak"
    config = ScannerConfig(protocol="ack_nak")

    def make_port(self) -> SerialPort:
        self.sim = SimAckNakScanner(self.path, timeout_s=1.0)
        return self.sim.port

    async def scan_bytes(self, data: bytes) -> None:
        await self.sim.scan(data)


class SsiRig(WireScannerRig):
    sheet = "scanner-ssi"
    config = ScannerConfig(protocol="ssi")

    def make_port(self) -> SerialPort:
        self.sim = SimSsiScanner(self.path, timeout_s=0.5)
        return self.sim.port

    async def scan_bytes(self, data: bytes) -> None:
        await until(lambda: self.sim.is_enabled)
        await self.sim.scan(data)

    async def cut_off(self, data: bytes) -> None:
        await self.port.write(bytes((len(data) + 5, 0xF3, 0, 0, 3)) + data[: len(data) // 2])


class GrowRig(WireScannerRig):
    sheet = "scanner-grow"
    config = ScannerConfig(protocol="grow")

    def make_port(self) -> SerialPort:
        self.sim = SimGrowScanner(self.path)
        return self.sim.port

    async def scan_bytes(self, data: bytes) -> None:
        await self.sim.scan(data)


WIRE_RIGS: tuple[Callable[[Path], WireScannerRig], ...] = (
    PlainRig,
    NoSuffixRig,
    AckNakRig,
    SsiRig,
    GrowRig,
    HoneywellRig,
    DatalogicRig,
    NewlandRig,
)
