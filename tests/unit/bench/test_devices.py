"""All simulated devices of a till together."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil.rig.devices import DeviceSet
from hil.rig.ports import socket_folder
from hil.simulators.display import SimPanel


@pytest.fixture
def seen() -> list[str]:
    """Roles of devices that changed, oldest first."""
    return []


@pytest_asyncio.fixture
async def devices(tmp_path: Path, seen: list[str]) -> AsyncIterator[DeviceSet]:
    """A till's devices, plugged in."""
    folder = socket_folder(tmp_path)
    devices = DeviceSet(folder, operator_size="40x12", speed=50.0, on_change=seen.append)
    await devices.start()
    yield devices
    await devices.close()


def write_to(path: Path, data: bytes) -> None:
    """Write to a device node as a driver would."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    os.write(descriptor, data)
    os.close(descriptor)


async def wait_line(display: SimPanel, text: str) -> None:
    """Wait until the first line of a display is `text`."""
    async with asyncio.timeout(5):
        while display.lines()[0] != text:
            await display.wait_change(display.seq, 1)


async def test_devices_all_have_their_nodes(devices: DeviceSet) -> None:
    for name in ("scanner", "keypad", "operator", "customer", "printer.sock"):
        assert (devices.folder / name).exists(), name


async def test_devices_display_change_is_told_by_role(devices: DeviceSet, seen: list[str]) -> None:
    write_to(devices.folder / "operator", "退款".encode())
    await wait_line(devices.operator_display, "退款")
    assert "operator_display" in seen


async def test_devices_reset_plugs_in_and_clears(devices: DeviceSet) -> None:
    write_to(devices.folder / "customer", b"hello")
    await wait_line(devices.customer_display, "hello")
    devices.unplug("scanner")
    assert not (devices.folder / "scanner").exists()
    await devices.reset()
    assert devices.customer_display.lines() == ["", ""]
    assert (devices.folder / "scanner").exists()
    assert devices.printer.is_plugged
    assert devices.unplugged == set()


async def test_devices_plug_gives_the_printer_a_new_address(devices: DeviceSet) -> None:
    before = devices.printer.address
    devices.unplug("printer")
    assert devices.printer.address is None
    devices.plug("printer")
    assert devices.printer.address not in (None, before)


async def test_devices_darken_takes_the_picture_away(devices: DeviceSet) -> None:
    write_to(devices.folder / "operator", b"menu")
    await wait_line(devices.operator_display, "menu")
    devices.darken()
    assert set(devices.operator_display.lines()) == {""}
