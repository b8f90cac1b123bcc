"""A USB printer that hangs in opening or closing: a deadline, quarantine, no second thread behind it (field.md 14)."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.links import usb_bulk
from pos_agent.errors import DeviceTimeoutError
from tests.contract.printer_rigs import UsbPrinterRig
from tests.fakes.waiting import until


@pytest_asyncio.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UsbPrinterRig]:
    monkeypatch.setattr(usb_bulk, "OPEN_TIMEOUT_S", 0.1)
    monkeypatch.setattr(usb_bulk, "CLOSE_TIMEOUT_S", 0.1)
    made = UsbPrinterRig(tmp_path)
    await made.start()
    made.plug()
    yield made
    await made.device.close()
    await made.stop()
    await until(lambda: not workers())


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "usb-printer"]


async def test_open_hangs_ends_at_its_deadline_and_recovers(rig: UsbPrinterRig) -> None:
    rig.sim.set_fault("open_hangs")
    for _ in range(3):
        async with asyncio.timeout(2):
            with pytest.raises(DeviceTimeoutError):
                await rig.device.open()
    assert len(workers()) == 1, "each attempt left a thread behind"
    rig.sim.clear_fault("open_hangs")
    await until(lambda: not workers())
    await rig.device.open()
    assert rig.device.status.is_online


async def test_close_hangs_returns_at_its_deadline_and_the_device_is_not_opened_twice(rig: UsbPrinterRig) -> None:
    await rig.device.open()
    rig.sim.set_fault("close_hangs")
    async with asyncio.timeout(2):
        await rig.device.close()
    with pytest.raises(DeviceTimeoutError):
        await rig.device.open()
    rig.sim.clear_fault("close_hangs")
    await until(lambda: not workers())
    await rig.device.open()
    assert rig.device.status.is_online
