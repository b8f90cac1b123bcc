"""How soon a printer that was plugged in is in use: 0.5 s with the kernel's nudge, 2.5 s without (field.md 13)."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pos_agent.devices.supervisor import DeviceSupervisor
from tests.contract.printer_rigs import (
    ClonePrinterRig,
    SerialPrinterRig,
    SimPrinterRig,
    TcpPrinterRig,
    UsblpPrinterRig,
    UsbPrinterRig,
)
from tests.fakes.waiting import until

_LINKS = [UsbPrinterRig, ClonePrinterRig, UsblpPrinterRig, SerialPrinterRig, TcpPrinterRig]


async def seconds_to_open(rig: SimPrinterRig, *, is_nudged: bool) -> float:
    """Plug the printer in while a supervisor waits for it; return how long it took."""
    await rig.start()
    supervisor = DeviceSupervisor([rig.device], sink=rig.events.append)
    task = asyncio.create_task(supervisor.run(), name="supervisor")
    await until(lambda: rig.events)  # told as absent: the first attempt has failed
    loop = asyncio.get_running_loop()
    rig.plug()
    plugged_at_s = loop.time()
    if is_nudged:
        supervisor.nudge()
    await until(lambda: rig.device.status.is_online)
    took_s = loop.time() - plugged_at_s
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.stop()
    return took_s


@pytest.mark.parametrize("make", _LINKS)
async def test_printer_with_a_uevent_is_in_use_within_half_a_second(
    make: Callable[[Path], SimPrinterRig], tmp_path: Path
) -> None:
    assert await seconds_to_open(make(tmp_path), is_nudged=True) <= 0.5


@pytest.mark.parametrize("make", _LINKS)
async def test_printer_without_a_uevent_is_in_use_within_two_and_a_half_seconds(
    make: Callable[[Path], SimPrinterRig], tmp_path: Path
) -> None:
    assert await seconds_to_open(make(tmp_path), is_nudged=False) <= 2.5
