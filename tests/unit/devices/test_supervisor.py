"""The supervisor: everything is opened, lost things are said once and taken up again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Event
from pos_agent.errors import ClaimedError
from tests.fakes.devices import FakeDevice, FakePrinter
from tests.fakes.waiting import until

_NEVER_S = 3600.0


@asynccontextmanager
async def _running(supervisor: DeviceSupervisor) -> AsyncIterator[None]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _changes(events: Sequence[Event]) -> list[tuple[str, bool, str]]:
    return [(event.device, event.is_online, event.code) for event in events if isinstance(event, DeviceStatusChanged)]


async def test_supervisor_opens_all_says_so_and_closes_at_the_end() -> None:
    events: list[Event] = []
    devices = [FakeDevice(DeviceName.SCANNER), FakeDevice(DeviceName.KEYPAD)]
    supervisor = DeviceSupervisor(devices, sink=events.append)
    async with _running(supervisor):
        await until(lambda: len(events) == 2)
        assert {task.get_name() for task in asyncio.all_tasks()} >= {"device-scanner", "device-keypad"}
        assert supervisor.is_online(DeviceName.SCANNER)

    assert sorted(_changes(events)) == [("keypad", True, ""), ("scanner", True, "")]
    assert not any(device.is_open for device in devices)
    assert not supervisor.is_online(DeviceName.SCANNER)


async def test_supervisor_absent_at_start_is_taken_up_by_the_timer() -> None:
    events: list[Event] = []
    device = FakeDevice(DeviceName.SCANNER, is_plugged=False)
    async with _running(DeviceSupervisor([device], sink=events.append, retry_s=0.01)):
        await until(lambda: device.open_count >= 3)
        device.plug()
        await until(lambda: device.is_open)

    assert _changes(events) == [("scanner", False, "E_NOHARDWARE"), ("scanner", True, "")]


async def test_supervisor_nudge_takes_it_up_at_once_and_showers_are_one_attempt() -> None:
    events: list[Event] = []
    device = FakeDevice(DeviceName.SCANNER, is_plugged=False)
    supervisor = DeviceSupervisor([device], sink=events.append, retry_s=_NEVER_S)
    async with _running(supervisor):
        await until(lambda: len(events) == 1)
        device.plug()
        for _ in range(20):
            supervisor.nudge()
        await until(lambda: device.is_open, timeout_s=0.5)

    assert device.open_count == 2


async def test_supervisor_lost_and_back_is_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="pos_agent.devices.supervisor")
    events: list[Event] = []
    device = FakeDevice(DeviceName.KEYPAD)
    async with _running(DeviceSupervisor([device], sink=events.append, retry_s=0.01)):
        await until(lambda: device.is_open)
        device.unplug()
        await until(lambda: device.open_count >= 5)
        device.plug()
        await until(lambda: device.is_open)

    assert _changes(events) == [("keypad", True, ""), ("keypad", False, "E_NOHARDWARE"), ("keypad", True, "")]
    levels = [record.levelno for record in caplog.records]
    assert levels.count(logging.WARNING) == 1
    assert levels.count(logging.INFO) == 2
    assert levels.count(logging.DEBUG) >= 2


async def test_supervisor_another_cause_is_news() -> None:
    events: list[Event] = []
    device = FakeDevice(DeviceName.SCANNER, is_plugged=False)
    async with _running(DeviceSupervisor([device], sink=events.append, retry_s=0.01)):
        await until(lambda: len(events) == 1)
        device.open_error = ClaimedError("scanner", "held by ModemManager")
        await until(lambda: len(events) == 2)

    assert _changes(events)[1] == ("scanner", False, "E_CLAIMED")


async def test_supervisor_driver_with_a_bug_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    broken, sound = FakeDevice(DeviceName.SCANNER), FakeDevice(DeviceName.KEYPAD)
    broken.open_error = KeyError("bug")
    async with _running(DeviceSupervisor([broken, sound], sink=events.append, retry_s=0.01)):
        await until(lambda: broken.open_count >= 3 and sound.is_open)
        broken.open_error = None
        await until(lambda: broken.is_open)

    assert ("scanner", False, "E_FAILURE") in _changes(events)
    assert "driver failed" in caplog.text
    assert "KeyError" in caplog.text


async def test_supervisor_flapping_device_waits_for_the_timer() -> None:
    device = FakeDevice(DeviceName.SCANNER)
    async with _running(DeviceSupervisor([device], sink=lambda _: None, retry_s=_NEVER_S)):
        await until(lambda: device.is_open)
        device.unplug()
        device.plug()
        await until(lambda: device.close_count == 1)
        for _ in range(50):
            await asyncio.sleep(0)

        assert device.open_count == 1


async def test_supervisor_all_present_runs_no_timer() -> None:
    devices = [FakeDevice(DeviceName.SCANNER), FakeDevice(DeviceName.KEYPAD, is_plugged=False)]
    supervisor = DeviceSupervisor(devices, sink=lambda _: None, retry_s=0.01)
    async with _running(supervisor):
        await until(lambda: devices[1].open_count >= 2)
        devices[1].plug()
        await until(lambda: devices[1].is_open)

        assert supervisor._retry._timer is None
        supervisor.nudge()
        assert supervisor._retry._nudge is None


async def test_supervisor_absent_devices_share_one_timer() -> None:
    devices = [FakeDevice(name, is_plugged=False) for name in DeviceName]
    supervisor = DeviceSupervisor(devices, sink=lambda _: None, retry_s=_NEVER_S)
    async with _running(supervisor):
        await until(lambda: len(supervisor._retry._waiters) == len(devices))
        supervisor._retry._fire()
        await until(lambda: all(device.open_count == 2 for device in devices))


async def test_supervisor_statuses_carry_codes_and_counters() -> None:
    printer = FakePrinter(lambda _: None)
    scanner = FakeDevice(DeviceName.SCANNER, is_plugged=False)
    events: list[Event] = []
    supervisor = DeviceSupervisor([printer, scanner], sink=events.append, retry_s=_NEVER_S)
    async with _running(supervisor):
        await until(lambda: len(events) == 2)
        printer.paper_bytes = 0
        statuses = {status.name: status for status in supervisor.statuses()}

    assert (statuses["printer"].is_online, statuses["printer"].code) == (True, "EPTR_REC_EMPTY")
    assert (statuses["scanner"].is_online, statuses["scanner"].code) == (False, "E_NOHARDWARE")


async def test_supervisor_without_devices_runs_until_cancelled() -> None:
    supervisor = DeviceSupervisor([], sink=lambda _: None)
    task = asyncio.create_task(supervisor.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_supervisor_close_that_fails_is_logged_and_the_device_is_opened_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FakeDevice(DeviceName.SCANNER)

    async def fail() -> None:
        raise ValueError("bug in close")

    monkeypatch.setattr(device, "close", fail)
    async with _running(DeviceSupervisor([device], sink=lambda _: None, retry_s=0.01)):
        await until(lambda: device.is_open)
        device.unplug()
        device.plug()
        await until(lambda: device.open_count >= 2)

    assert "close failed" in caplog.text
    assert "bug in close" in caplog.text
