"""A camera under the supervisor: its decoder dies, and the till hears two sentences about it and the next scan."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.camera.camera_scanner import CameraScanner, settings_of
from drivers.camera.worker_port import WorkerPort
from drivers.links.opener import Opener
from hil.simulators.camera import SimCamera
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import CameraConfig, ScannerConfig
from pos_agent.domain.events import DeviceStatusChanged, Event, ScanRead
from tests.fakes.waiting import until

START_S = 20.0


class Till:
    def __init__(self, folder: Path) -> None:
        self.sim = SimCamera(folder / "camera")
        self.events: list[Event] = []
        config = ScannerConfig(driver="camera", path=str(self.sim.path), camera=CameraConfig(fps=30))
        self.port = WorkerPort(settings_of(config))
        scanner = CameraScanner(config, sink=self.events.append, opener=Opener(), port=self.port)
        self.supervisor = DeviceSupervisor([scanner], sink=self.events.append, retry_s=0.2)

    @property
    def told(self) -> list[tuple[bool, str]]:
        return [(event.is_online, event.code) for event in self.events if isinstance(event, DeviceStatusChanged)]

    @property
    def labels(self) -> list[str]:
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    made = Till(tmp_path)
    running = asyncio.create_task(made.supervisor.run())
    yield made
    running.cancel()
    await asyncio.wait({running})
    # Closing goes on in the opener's thread when the task that waits for it is cancelled.
    await until(lambda: not any(thread.name == "opener" for thread in threading.enumerate()))


async def test_camera_decoder_that_dies_is_offline_for_a_moment_and_reads_again(till: Till) -> None:
    till.sim.plug()
    await until(lambda: till.told == [(True, "")] or till.told[1:] == [(True, "")], timeout_s=START_S)
    os.kill(till.port.pid, signal.SIGKILL)
    await until(lambda: till.told[-2:] == [(False, "E_FAILURE"), (True, "")], timeout_s=START_S)

    till.sim.show("qr", b"after the crash")
    await until(lambda: till.labels == ["after the crash"])


async def test_camera_unplugged_and_put_back_is_taken_up_again(till: Till) -> None:
    await until(lambda: till.told == [(False, "E_NOHARDWARE")])
    for _ in range(2):
        till.sim.plug()
        await until(lambda: till.told[-1] == (True, ""), timeout_s=START_S)
        till.sim.unplug()
        await until(lambda: till.told[-1] == (False, "E_NOHARDWARE"), timeout_s=START_S)


async def test_camera_event_loop_is_never_held_while_decoders_start_and_die(till: Till) -> None:
    """D1: the keypad's loop goes on; 50 ms is far below what a start in it would take."""
    till.sim.plug()
    late = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.005
            await asyncio.sleep(0.005)
            late.append(loop.time() - due_s)

    ticking = asyncio.create_task(tick())
    for count in (1, 2):
        await until(lambda: till.told[-1:] == [(True, "")], timeout_s=START_S)
        os.kill(till.port.pid, signal.SIGSEGV)
        await until(lambda count=count: till.told.count((False, "E_FAILURE")) == count, timeout_s=START_S)  # type: ignore[misc]
    ticking.cancel()
    await asyncio.wait({ticking})
    assert sorted(late)[len(late) * 9 // 10] < 0.05
