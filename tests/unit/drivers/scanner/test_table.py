"""The scanner families as data: the shipped table is whole, and each row's bytes do what they say on its simulator."""

import os
from pathlib import Path

import pytest

from drivers.links.serial_port import SerialPort
from drivers.scanner.families import make_protocol
from drivers.scanner.table import Fact, ScannerRow, load_table
from hil.simulators import scanner_command as sim
from pos_agent.domain.config import ScannerConfig
from pos_agent.errors import ConfigFileError, ConfigValueError
from tests.fakes.waiting import until
from tests.unit.drivers.scanner.rows import SIMULATED, TABLE


def _facts(row: ScannerRow) -> dict[str, Fact]:
    named = {
        "identify": row.identify,
        "trigger_on": row.trigger_on,
        "trigger_off": row.trigger_off,
        "beep": row.beep,
    }
    return {name: fact for name, fact in named.items() if fact is not None}


every_row = pytest.mark.parametrize("row", TABLE.scanner, ids=lambda row: row.id)


def test_table_has_the_families_and_each_its_simulator() -> None:
    assert {row.id for row in TABLE.scanner} == set(SIMULATED)


@every_row
def test_row_names_source_protocol_and_set_up_barcode(row: ScannerRow) -> None:
    make_protocol(ScannerConfig(protocol=row.protocol))
    assert int(row.usb_vendor, 16) > 0
    assert row.serial_barcode.zh
    assert row.serial_barcode.en
    for fact in _facts(row).values():
        assert fact.request
        assert len(fact.source) > 8


@every_row
async def test_row_bytes_do_on_the_simulator_what_they_say(row: ScannerRow, tmp_path: Path) -> None:
    scanner = sim.SimCommandScanner(tmp_path / "scanner", SIMULATED[row.id])
    scanner.port.plug()
    port = SerialPort(str(scanner.port.path), baud=9600)
    fd = port.acquire()
    try:
        for number, (name, fact) in enumerate(_facts(row).items()):
            os.write(fd, fact.request)
            await until(lambda number=number: len(scanner.did) > number)  # type: ignore[misc]
            assert scanner.did[number] == name
            if name == "identify":
                assert fact.is_answered_by(os.read(fd, 4096))
    finally:
        port.release(fd)
        scanner.port.unplug()


def test_fact_answer_at_a_place_is_looked_for_there_only() -> None:
    fact = Fact(send="00", answer="A4", answer_at=1, source="a test", confidence="manual")
    assert fact.is_answered_by(b"\x0c\xa4")
    assert not fact.is_answered_by(b"\xa4\x0c")
    assert not fact.is_answered_by(b"")


def test_fact_any_answer_is_one_and_silence_is_none() -> None:
    fact = Fact(send="69", source="a test", confidence="manual")
    assert fact.is_answered_by(b"x")
    assert not fact.is_answered_by(b"")


def test_table_unknown_family_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        TABLE.row("nobody")


@pytest.mark.parametrize("text", ["scanner = 3", "not toml", "[[scanner]]\nid = 'x'"])
def test_load_table_wrong_file_says_which(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scanners.toml"
    path.write_text(text)
    with pytest.raises(ConfigFileError, match=r"scanners\.toml"):
        load_table(path)


def test_make_protocol_unknown_name_says_the_known_ones() -> None:
    with pytest.raises(ConfigValueError) as caught:
        make_protocol(ScannerConfig(protocol="sii"))
    assert caught.value.key == "devices.scanner.protocol"
    assert "ssi" in (caught.value.hint or "")
