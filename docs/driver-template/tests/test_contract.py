"""The contract of pos-agent for scanners, on this driver, over a real pty; then what is special about it."""

import os
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pos_agent_bracket import build

from drivers.contract.device import *  # noqa: F403 - the tests that hold for every device
from drivers.contract.rig import ScannerRig, run_rig, until
from drivers.contract.scanner import *  # noqa: F403 - the tests that hold for every scanner
from drivers.links.opener import Opener
from drivers.plugins import DriverRequest
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import DeviceName, ScanGarbled, ScanRead


class BracketRig(ScannerRig):
    """The driver on a pty, and a hand that plugs and scans."""

    sheet = "scanner-bracket"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "scanner"
        self.master = -1
        config = ScannerConfig(driver="bracket", path=str(self.path))
        self.device = build(
            DriverRequest(
                role=DeviceName.SCANNER,
                config=config,
                sink=self.events.append,
                opener=Opener(),
                find_data=Path,
            )
        )

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        if self.master >= 0:
            self.path.unlink()
            os.close(self.master)
            self.master = -1

    async def scan(self, label: str) -> None:
        os.write(self.master, f"<{label}>".encode())


@pytest_asyncio.fixture
async def scanner_rig(tmp_path: Path) -> AsyncIterator[BracketRig]:
    async for rig in run_rig(BracketRig(tmp_path)):
        yield rig


@pytest.fixture
def device_rig(scanner_rig: BracketRig) -> BracketRig:
    return scanner_rig


async def test_code_in_pieces_and_noise_before_it_are_read_apart(scanner_rig: BracketRig) -> None:
    scanner_rig.plug()
    await scanner_rig.device.open()
    os.write(scanner_rig.master, b"noise><69012")
    await until(lambda: scanner_rig.events)
    os.write(scanner_rig.master, b"34567892>")
    await until(lambda: len(scanner_rig.events) == 2)

    noise, scan = scanner_rig.events
    assert isinstance(noise, ScanGarbled)
    assert isinstance(scan, ScanRead)
    assert scan.scan_data_label == "6901234567892"
