"""What every device promises to the supervisor."""

import asyncio

import pytest

from drivers.contract.conformance import rule
from drivers.contract.rig import DeviceRig, settle
from pos_agent.errors import NoHardwareError, OfflineError


@rule("field.md 13", "A device that is not there is named as absent, and tried again")
async def test_device_not_plugged_in_open_raises_no_hardware(device_rig: DeviceRig) -> None:
    with pytest.raises(NoHardwareError):
        await device_rig.device.open()


@rule("devices.md 0.5", "A pulled cable is noticed within 5 s")
async def test_device_unplugged_wait_lost_returns_offline(device_rig: DeviceRig) -> None:
    device_rig.plug()
    await device_rig.device.open()
    device_rig.unplug()

    async with asyncio.timeout(device_rig.patience_s):
        error = await device_rig.device.wait_lost()

    assert isinstance(error, OfflineError)
    assert error.device == device_rig.device.name


@rule("design.md D1", "Waiting for the loss of a device can be given up at any time")
async def test_device_in_use_wait_lost_waits_and_is_cancellable(device_rig: DeviceRig) -> None:
    device_rig.plug()
    await device_rig.device.open()
    waiting = asyncio.create_task(device_rig.device.wait_lost())
    await settle()
    assert not waiting.done()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    device_rig.unplug()
    async with asyncio.timeout(device_rig.patience_s):
        assert isinstance(await device_rig.device.wait_lost(), OfflineError)


@rule("field.md 14", "Closing takes at most 2 s, even if the device is gone")
async def test_device_close_is_idempotent_and_never_raises_when_gone(device_rig: DeviceRig) -> None:
    await device_rig.device.close()
    device_rig.plug()
    await device_rig.device.open()
    device_rig.unplug()

    async with asyncio.timeout(2):
        await device_rig.device.close()
        await device_rig.device.close()


@rule("field.md 13", "Put back, it opens again, again and again")
async def test_device_plugged_in_again_opens_again(device_rig: DeviceRig) -> None:
    for _ in range(3):
        device_rig.plug()
        await device_rig.device.open()
        device_rig.unplug()
        async with asyncio.timeout(device_rig.patience_s):
            await device_rig.device.wait_lost()
        await device_rig.device.close()


@rule("field.md 14", "Closed and opened again without a new plug-in")
async def test_device_closed_and_opened_while_plugged_in(device_rig: DeviceRig) -> None:
    device_rig.plug()
    for _ in range(3):
        await device_rig.device.open()
        await device_rig.device.close()
