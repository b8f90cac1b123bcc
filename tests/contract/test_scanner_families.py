"""What only one family promises: answers within their deadline, repetitions, heartbeats."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from drivers.links.opener import Opener
from drivers.scanner.framer import ScanFramer
from drivers.scanner.grow import GrowProtocol
from drivers.scanner.serial_scanner import SerialScanner
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import Event, ScanRead
from pos_agent.errors import OfflineError
from tests.contract.conformance import rule
from tests.contract.rigs import Pty
from tests.contract.scanner_rigs import AckNakRig, GrowRig, SsiRig
from tests.fakes.waiting import until

EAN, ORDER = "6901234567892", "4200002089202611201078907890"
#: The scanner's own deadline, which a host must keep. Source: Programmer's Guide, serial response time-out 2 s.
DEADLINE_S = 2.0


@pytest_asyncio.fixture
async def ssi(tmp_path: Path) -> AsyncIterator[SsiRig]:
    rig = SsiRig(tmp_path)
    await rig.open()
    await until(lambda: rig.sim.is_enabled)
    yield rig
    await rig.driver.close()
    rig.unplug()


@pytest_asyncio.fixture
async def ack_nak(tmp_path: Path) -> AsyncIterator[AckNakRig]:
    rig = AckNakRig(tmp_path)
    await rig.open()
    yield rig
    await rig.driver.close()
    rig.unplug()


@pytest_asyncio.fixture
async def grow(tmp_path: Path) -> AsyncIterator[GrowRig]:
    rig = GrowRig(tmp_path)
    rig.driver._protocol = GrowProtocol(ScanFramer(), heartbeat_interval_s=0.05)
    await rig.open()
    yield rig
    await rig.driver.close()
    rig.unplug()


@rule("devices.md 3", "Scanning is enabled whenever the port is opened")
async def test_ssi_scanning_is_enabled_on_each_open(ssi: SsiRig) -> None:
    await ssi.driver.close()
    ssi.sim.is_enabled = False
    await ssi.driver.open()
    await until(lambda: ssi.sim.is_enabled)

    assert ssi.sim.opcodes == [0xE9, 0xE9]
    assert ssi.sim.bad_packet_count == 0


@rule("devices.md 3", "Every packet is acknowledged within the scanner's deadline, before anything else")
async def test_ssi_every_packet_is_acknowledged_in_time(ssi: SsiRig) -> None:
    for number in range(40):
        assert await ssi.sim.scan(f"{EAN}{number:03d}".encode())

    assert len(ssi.labels) == 40
    assert ssi.sim.packets_sent == 40
    assert max(ssi.sim.ack_delays_s) < DEADLINE_S / 4


@rule("devices.md 3", "A packet with a wrong checksum is asked for again and then read")
async def test_ssi_spoilt_packet_is_sent_again_and_read(ssi: SsiRig) -> None:
    ssi.sim.spoil_next = 2
    assert await ssi.sim.scan(EAN.encode())

    assert ssi.labels == [EAN]
    assert ssi.sim.packets_sent == 3
    assert ssi.count("ScanGarbledChecksumCount") == 2


@rule("devices.md 3", "A repetition after a lost acknowledgement is de-duplicated by the retransmit bit")
async def test_ssi_lost_acknowledgement_gives_one_scan(ssi: SsiRig) -> None:
    ssi.sim.deaf_next = 1
    assert await ssi.sim.scan(EAN.encode())
    assert await ssi.sim.scan(ORDER.encode())

    assert ssi.labels == [EAN, ORDER]
    assert ssi.count("RetransmitScanCount") == 1


@rule("devices.md 3", "A code in several packets survives a spoilt one and a lost acknowledgement")
async def test_ssi_long_code_survives_faults_inside(ssi: SsiRig) -> None:
    label = "".join(str(number % 10) for number in range(1500))
    ssi.sim.deaf_next = ssi.sim.spoil_next = 1
    assert await ssi.sim.scan(label.encode())

    assert ssi.labels == [label]


@rule("devices.md 3", "A sleeping unit is woken by a null byte and 50 ms before the first command", sheet="scanner-ssi")
async def test_ssi_sleeping_unit_is_woken_before_the_first_command(tmp_path: Path) -> None:
    rig = SsiRig(tmp_path)
    rig.sim.is_asleep = True
    await rig.open()
    await until(lambda: rig.sim.is_enabled)

    assert rig.sim.opcodes == [0xE9]
    assert rig.sim.bad_packet_count == 0
    await rig.driver.close()
    rig.unplug()


@rule(
    "devices.md 3", "A decoder that does not answer commands is asked three times and still read", sheet="scanner-ssi"
)
async def test_ssi_mute_decoder_is_still_read(tmp_path: Path) -> None:
    rig = SsiRig(tmp_path)
    rig.sim.mute = True
    await rig.open()
    rig.sim.is_enabled = True
    assert await rig.sim.scan(EAN.encode())

    assert rig.labels == [EAN]
    await rig.driver.close()
    rig.unplug()


@rule("devices.md 3", "A garbled frame is refused with NAK and read when it is sent again")
async def test_ack_nak_spoilt_frame_is_sent_again_and_read(ack_nak: AckNakRig) -> None:
    ack_nak.sim.spoil_next = 1
    assert await ack_nak.sim.scan(EAN.encode())

    assert ack_nak.labels == [EAN]
    assert bytes(ack_nak.sim.answers) == b"\x15\x06"


@rule("devices.md 3", "Every frame is acknowledged, so that none is thrown away by the scanner")
async def test_ack_nak_every_frame_is_acknowledged(ack_nak: AckNakRig) -> None:
    for number in range(30):
        assert await ack_nak.sim.scan(f"{EAN}{number:03d}".encode())

    assert ack_nak.sim.discarded_count == 0
    assert len(ack_nak.labels) == 30


@rule("devices.md 3", "Answers of the module between codes are no codes")
async def test_grow_heartbeats_between_codes_are_no_codes(grow: GrowRig) -> None:
    for number in range(5):
        await grow.scan(f"{EAN}{number:03d}")
        await until(lambda number=number: grow.sim.heartbeat_count > number)  # type: ignore[misc]

    assert len(grow.labels) == 5
    assert grow.count("CommunicationErrorCount") == 0
    assert grow.sim.bad_frame_count == 0


@rule("devices.md 3", "A module on pins that is gone (three heartbeats without answer) is lost, not silent")
async def test_grow_module_gone_from_its_pins_is_lost(grow: GrowRig) -> None:
    await until(lambda: grow.sim.heartbeat_count >= 2)
    grow.sim.is_mute = True

    async with asyncio.timeout(10):
        error = await grow.driver.wait_lost()

    assert isinstance(error, OfflineError)
    assert grow.count("HeartbeatMissedCount") == 3


@rule("devices.md 3", "What a module sends for a failed read (RF) is no code")
async def test_grow_failed_read_is_no_code(grow: GrowRig) -> None:
    await grow.sim.fail()
    await grow.scan(EAN)
    await until(lambda: grow.labels)

    assert grow.labels == [EAN]
    assert grow.count("ScanGarbledNoReadCount") == 1


@rule("devices.md 3", "What was scanned while nobody had the port open is stale and never read", sheet="scanner-plain")
async def test_plain_stale_codes_of_before_the_open_are_not_read(tmp_path: Path) -> None:
    pty = Pty(tmp_path / "scanner")
    pty.plug()
    config = ScannerConfig(path=str(pty.path))
    events: list[Event] = []
    driver = SerialScanner(config, sink=events.append, opener=Opener())
    os.write(pty.master, f"{ORDER}\r".encode())
    await driver.open()
    os.write(pty.master, f"{EAN}\r".encode())
    await until(lambda: events)

    assert [event.scan_data_label for event in events if isinstance(event, ScanRead)] == [EAN]
    await driver.close()
    pty.unplug()
