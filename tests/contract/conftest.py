"""Rigs for the contract suites: every implementation of an interface runs the same tests."""

from collections.abc import AsyncIterator
from pathlib import Path

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


@pytest_asyncio.fixture(params=_DEVICES, ids=lambda rig: rig.__name__)
async def device_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
    async for rig in run_rig(request.param(tmp_path)):
        yield rig


@pytest_asyncio.fixture(params=_SCANNERS, ids=lambda rig: rig.__name__)
async def scanner_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
    async for rig in run_rig(request.param(tmp_path)):
        yield rig


@pytest_asyncio.fixture(params=_KEYPADS, ids=lambda rig: rig.__name__)
async def keypad_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
    async for rig in run_rig(request.param(tmp_path)):
        yield rig


@pytest_asyncio.fixture(params=_DISPLAYS, ids=lambda rig: rig.__name__)
async def display_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
    async for rig in run_rig(request.param(tmp_path)):
        yield rig


@pytest_asyncio.fixture(params=_PRINTERS, ids=lambda rig: rig.__name__)
async def printer_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[rigs.DeviceRig]:
    async for rig in run_rig(request.param(tmp_path)):
        yield rig
