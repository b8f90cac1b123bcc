"""Rigs for the contract suites: every implementation of an interface runs the same tests."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drivers.contract.rig import run_rig
from tests.contract import display_rigs, rigs
from tests.contract.camera_rigs import CameraRig, ZbarCameraRig
from tests.contract.printer_rigs import PRINTERS
from tests.contract.scanner_rigs import WIRE_RIGS

_SCANNERS = [rigs.FakeScannerRig, rigs.SerialScannerRig, *WIRE_RIGS, CameraRig, ZbarCameraRig]
_KEYPADS = [rigs.FakeKeypadRig, rigs.EvdevKeypadRig, rigs.MatrixKeypadRig]
_DISPLAYS = [
    rigs.FakeDisplayRig,
    rigs.AnsiDisplayRig,
    rigs.FramebufferDisplayRig,
    rigs.EpsonDisplayRig,
    display_rigs.Cd5220DisplayRig,
]
_PRINTERS = [rigs.FakePrinterRig, *PRINTERS]
_DEVICES = [*_SCANNERS, *_KEYPADS, *_DISPLAYS, display_rigs.Led8DisplayRig, *_PRINTERS]


def _each(classes: Sequence[Any]) -> Any:
    """Return a fixture that gives a test a rig of each class."""

    @pytest_asyncio.fixture(params=classes, ids=lambda rig: rig.__name__)
    async def plugged(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
        async for rig in run_rig(request.param(tmp_path)):
            yield rig

    return plugged


device_rig = _each(_DEVICES)
scanner_rig = _each(_SCANNERS)
keypad_rig = _each(_KEYPADS)
display_rig = _each(_DISPLAYS)
printer_rig = _each(_PRINTERS)
