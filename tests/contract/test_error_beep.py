"""field.md 24: a refusal sounds at the scanner whose family is named, and at a keypad that has a bell."""

import struct
from pathlib import Path

import pytest

from drivers.keypad.bell import Bell
from drivers.keypad.evdev_keypad import EvdevKeypad
from drivers.keypad.keymap import load_keymap
from drivers.links.opener import Opener
from drivers.registry import build_devices
from drivers.scanner.serial_scanner import SerialScanner
from hil.simulators.scanner_command import DATALOGIC, HONEYWELL, NEWLAND, Commands, SimCommandScanner
from hil.simulators.scanner_ssi import SimSsiScanner
from pos_agent.domain.config import DevicesConfig, KeypadConfig, ScannerConfig
from pos_agent.domain.events import Event, ScanRead
from pos_agent.errors import ConfigValueError
from tests.contract.conformance import rule
from tests.contract.rigs import KEYMAP, Pty
from tests.fakes.waiting import until

CONFIG = Path(__file__).parents[2] / "config"
EAN = "6901234567892"


class _Sheet:
    """Where the outcome of a test is written."""

    def __init__(self, sheet: str) -> None:
        self.sheet = sheet


def scanner_of(config: ScannerConfig, events: list[Event]) -> SerialScanner:
    devices = build_devices(DevicesConfig(scanner=config), sink=events.append, find_data=lambda name: CONFIG / name)
    assert isinstance(devices.scanner, SerialScanner)
    return devices.scanner


@rule("field.md 24", "A refusal sounds at the scanner, by its family's command; the next code is read")
@pytest.mark.parametrize(("family", "commands"), [("honeywell", HONEYWELL), ("datalogic", DATALOGIC)])
@pytest.mark.parametrize("sheet", [_Sheet("")], ids=["beep"])
async def test_scanner_of_a_named_family_beeps_and_reads_on(
    tmp_path: Path, family: str, commands: Commands, sheet: _Sheet
) -> None:
    sheet.sheet = f"scanner-{family}"
    unit, events = SimCommandScanner(tmp_path / "scanner", commands), list[Event]()
    unit.port.plug()
    scanner = scanner_of(ScannerConfig(path=str(tmp_path / "scanner"), family=family), events)
    assert not scanner.beep(), "closed"
    await scanner.open()
    assert scanner.beep()
    await until(lambda: unit.did == ["beep"])
    await unit.scan(EAN.encode())
    await until(lambda: events)
    assert [event.scan_data_label for event in events if isinstance(event, ScanRead)] == [EAN]
    await scanner.close()
    unit.port.unplug()


@rule("field.md 24", "A refusal sounds at an SSI decoder; its answer is no code", sheet="scanner-ssi")
async def test_ssi_decoder_beeps_and_its_answer_is_no_code(tmp_path: Path) -> None:
    unit, events = SimSsiScanner(tmp_path / "scanner"), list[Event]()
    unit.port.plug()
    config = ScannerConfig(path=str(tmp_path / "scanner"), protocol="ssi", family="zebra-ssi")
    scanner = scanner_of(config, events)
    await scanner.open()
    await until(lambda: unit.is_enabled)
    assert scanner.beep()
    await until(lambda: unit.beep_count == 1)
    assert unit.bad_packet_count == 0
    assert await unit.scan(EAN.encode())
    await until(lambda: events)
    assert [event.scan_data_label for event in events if isinstance(event, ScanRead)] == [EAN]
    await scanner.close()
    unit.port.unplug()


async def test_scanner_without_a_named_family_is_told_nothing(tmp_path: Path) -> None:
    unit = SimCommandScanner(tmp_path / "scanner", NEWLAND)
    unit.port.plug()
    scanner = scanner_of(ScannerConfig(path=str(tmp_path / "scanner")), [])
    await scanner.open()
    assert not scanner.beep()
    await scanner.close()
    unit.port.unplug()
    assert unit.did == []


def test_scanner_family_that_does_not_exist_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigValueError, match=r"devices\.scanner\.family.*honeywell, datalogic"):
        scanner_of(ScannerConfig(path="/dev/x", family="honywell"), [])


@rule("field.md 24", "A keypad with a bell rings it, and ends it", sheet="keypad-evdev")
async def test_keypad_with_a_bell_rings_it_and_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: linux/input-event-codes.h: EV_SND 0x12, SND_BELL 1."""
    pty = Pty(tmp_path / "event3")
    pty.plug()
    capabilities = tmp_path / "sys" / Path(pty.path).resolve().name / "device" / "capabilities"
    capabilities.mkdir(parents=True)
    (capabilities / "snd").write_text("2\n")
    monkeypatch.setattr("drivers.keypad.evdev_keypad.is_event_node", lambda _node: True)
    monkeypatch.setattr("drivers.keypad.evdev_keypad.Bell", lambda node: Bell(node, system=tmp_path / "sys"))
    config = KeypadConfig(path=str(pty.path), grab_others=False)
    keypad = EvdevKeypad(config, keymap=load_keymap(KEYMAP), sink=lambda _event: None, opener=Opener())
    await keypad.open()
    assert keypad.beep()
    rung = bytearray()
    await until(lambda: len(rung.__iadd__(pty.read_all())) >= 4 * struct.calcsize("@llHHi"))
    events = [event[2:] for event in struct.iter_unpack("@llHHi", bytes(rung))]
    assert events == [(0x12, 1, 1), (0, 0, 0), (0x12, 1, 0), (0, 0, 0)]
    (capabilities / "snd").unlink()
    assert Bell(str(pty.path), system=tmp_path / "sys").on == b"", "most keypads have none"
    await keypad.close()
    pty.unplug()
