"""``devices.scanner.protocol`` chooses the family; the registry builds it and imports no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.registry import build_devices
from drivers.scanner.ack_nak import AckNakProtocol
from drivers.scanner.families import make_protocol
from drivers.scanner.framer import ScanFramer
from drivers.scanner.grow import GrowProtocol
from drivers.scanner.serial_scanner import SerialScanner
from drivers.scanner.ssi import SsiProtocol
from pos_agent.domain.config import DevicesConfig, ScannerConfig
from pos_agent.errors import ConfigValueError

PROTOCOLS = {"plain": ScanFramer, "ack_nak": AckNakProtocol, "ssi": SsiProtocol, "grow": GrowProtocol}


@pytest.mark.parametrize(("name", "kind"), PROTOCOLS.items())
def test_make_protocol_gives_the_family(name: str, kind: type) -> None:
    assert type(make_protocol(ScannerConfig(protocol=name))) is kind


@pytest.mark.parametrize("name", PROTOCOLS)
def test_registry_builds_the_scanner_of_each_family(name: str) -> None:
    config = DevicesConfig(scanner=ScannerConfig(path="/dev/serial/by-id/scanner", protocol=name))
    devices = build_devices(config, sink=lambda _: None, find_data=Path)
    assert isinstance(devices.scanner, SerialScanner)


def test_registry_unknown_protocol_is_refused() -> None:
    config = DevicesConfig(scanner=ScannerConfig(path="/dev/x", protocol="usb"))
    with pytest.raises(ConfigValueError, match="usb"):
        build_devices(config, sink=lambda _: None, find_data=Path)


def test_plain_scanner_imports_no_other_family() -> None:
    code = (
        "import sys; from drivers.scanner.families import make_protocol;"
        "from pos_agent.domain.config import ScannerConfig; make_protocol(ScannerConfig());"
        "sys.exit(any(f'drivers.scanner.{name}' in sys.modules for name in ('ssi', 'grow', 'ack_nak', 'baud')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
