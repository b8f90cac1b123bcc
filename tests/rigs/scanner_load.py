"""How much a scanner link takes: 20 scans a second, and seeded stalls, short writes and unplugs on both directions."""

import asyncio
import contextlib
import itertools
import random
import time
from pathlib import Path

import msgspec

from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from hil.simulators.port import SerialPort as SimPort
from pos_agent.domain.events import DeviceName
from tests.contract.scanner_rigs import WireScannerRig
from tests.fakes.waiting import until

SCANS_A_SECOND = 20


class RateRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of scanning for a while.

    Attributes:
        scanned: Different codes that the scanner sent.
        read: Codes that the driver gave, in the order in which they were sent and each once.
        error_count: Frames that it called garbled.
        duration_s: How long it took.
    """

    scanned: int
    read: int
    error_count: int
    duration_s: float


async def scan_at_rate(rig: WireScannerRig, duration_s: float) -> RateRun:
    """Open the scanner, scan different codes at a steady rate, wait until the last was read, and close it."""
    loop = asyncio.get_running_loop()
    await rig.open()
    try:
        started_s, count = loop.time(), 0
        while loop.time() - started_s < duration_s:
            await rig.scan(_label(count))
            count += 1
            await asyncio.sleep(max(0.0, started_s + count / SCANS_A_SECOND - loop.time()))
        took_s = loop.time() - started_s
        with contextlib.suppress(TimeoutError):
            await until(lambda: rig.count("GoodScanCount") >= count)
        sent = (_label(number) for number in range(count))
        in_order = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(rig.labels, sent, strict=False))
        read = sum(1 for _ in in_order) if len(rig.labels) <= count else 0
        errors = rig.count("CommunicationErrorCount")
        return RateRun(scanned=count, read=read, error_count=errors, duration_s=took_s)
    finally:
        await rig.driver.close()
        rig.unplug()


def _label(number: int) -> str:
    return f"82026112218320000{number:014d}"


class LinkRun:
    """One seeded run on the serial link: frames in, bytes out, stalls on both sides, cables pulled."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self._taken = bytearray()
        self._read = bytearray()
        self._sim = SimPort(folder / f"port-{seed}", on_data=self._taken.extend)
        self._opener = Opener()
        port = SerialPort(str(self._sim.path), baud=115_200)
        self._link = FdLink(DeviceName.SCANNER, port, opener=self._opener, on_bytes=self._read.extend)

    async def play(self) -> None:
        """Open, move bytes in both directions, pull the cable, and again."""
        for _ in range(2):
            self._sim.plug()
            await self._link.open()
            for _ in range(self._random.randint(1, 4)):
                await self._move()
            await self._pull()

    async def _move(self) -> None:
        sent_in = self._random.randbytes(self._random.choice((1, 40, 700, 4096, 9000)))
        sent_out = self._random.randbytes(self._random.choice((0, 7, 900, 5000, 20_000)))
        self._read.clear()
        self._taken.clear()
        self._sim.stall()
        for piece in self._pieces(sent_out):
            self._link.write(piece)
        writer = asyncio.create_task(self._write_pieces(sent_in))
        if self._random.random() < 0.5:
            time.sleep(self._random.random() * 0.002)  # noqa: ASYNC251 - the loop stalls on purpose
        await asyncio.sleep(0)
        self._sim.resume()
        await writer
        await until(lambda: len(self._read) >= len(sent_in) and len(self._taken) >= len(sent_out))
        assert bytes(self._read) == sent_in
        assert bytes(self._taken) == sent_out

    def _pieces(self, data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = self._random.randint(1, 1500)
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    async def _write_pieces(self, data: bytes) -> None:
        for piece in self._pieces(data):
            await self._sim.write(piece)
            if self._random.random() < 0.3:
                await asyncio.sleep(0)

    async def _pull(self) -> None:
        self._link.write(self._random.randbytes(self._random.choice((0, 3000))))
        self._sim.unplug()
        async with asyncio.timeout(5):
            await self._link.wait_lost()
        await self._link.close()


async def _play(folder: Path, seeds: range) -> None:
    for seed in seeds:
        try:
            await LinkRun(folder, seed).play()
        except (AssertionError, TimeoutError) as error:
            raise AssertionError(f"seed {seed}") from error


async def wrong_runs(folder: Path, seeds: range) -> list[str]:
    """Play a run for each seed; return what was wrong with those that lost or changed a byte."""
    found = []
    for seed in seeds:
        try:
            await LinkRun(folder, seed).play()
        except (AssertionError, TimeoutError) as error:
            found.append(f"scanner link seed {seed}: {error}")
    return found
