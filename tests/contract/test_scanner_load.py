"""How much a scanner link takes: 20 scans a second, and seeded stalls, short writes and unplugs, without a loss."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from hil.simulators.port import SerialPort as SimPort
from pos_agent.domain.events import DeviceName
from tests.contract.conformance import rule
from tests.contract.scanner_rigs import AckNakRig, GrowRig, PlainRig, SsiRig, WireScannerRig
from tests.fakes.waiting import until

SCANS_A_SECOND = 20
_FAMILIES = (PlainRig, AckNakRig, SsiRig, GrowRig)


async def _scan_for(rig: WireScannerRig, duration_s: float) -> int:
    """Scan different codes at a steady rate; returns how many."""
    loop = asyncio.get_running_loop()
    started_s, count = loop.time(), 0
    while loop.time() - started_s < duration_s:
        await rig.scan(f"82026112218320000{count:014d}")
        count += 1
        await asyncio.sleep(max(0.0, started_s + count / SCANS_A_SECOND - loop.time()))
    return count


async def _check_rate(rig: WireScannerRig, duration_s: float, *, least: float) -> None:
    """Scan, and check that nothing is lost; `least` of the rate must be kept, which a busy machine may not do."""
    await rig.open()
    try:
        count = await _scan_for(rig, duration_s)
        await until(lambda: rig.count("GoodScanCount") == count)
        assert rig.labels == [f"82026112218320000{number:014d}" for number in range(count)]
        assert count >= SCANS_A_SECOND * duration_s * least
        assert rig.count("CommunicationErrorCount") == 0
    finally:
        await rig.driver.close()
        rig.unplug()


@rule("devices.md 10", "20 scans a second without loss")
@pytest.mark.parametrize("family", _FAMILIES, ids=lambda rig: rig.__name__)
async def test_scanner_twenty_scans_a_second_are_all_read(tmp_path: Path, family: type[WireScannerRig]) -> None:
    await _check_rate(family(tmp_path), 1.5 if family is not PlainRig else 5.0, least=0.5)


@pytest.mark.exhaustive
@pytest.mark.timeout(700)
@pytest.mark.parametrize("family", _FAMILIES, ids=lambda rig: rig.__name__)
async def test_scanner_twenty_scans_a_second_for_ten_minutes_are_all_read(
    tmp_path: Path, family: type[WireScannerRig]
) -> None:
    await _check_rate(family(tmp_path), 600.0, least=0.9)


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


@rule("devices.md 10", "No byte is lost in seeded runs of stalls, short writes and unplugs")
async def test_serial_link_sixty_seeded_runs_lose_no_byte(tmp_path: Path) -> None:
    await _play(tmp_path, range(60))


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
async def test_serial_link_thousand_seeded_runs_lose_no_byte(tmp_path: Path) -> None:
    await _play(tmp_path, range(1000))
