"""What a camera must do beyond every scanner, with both decoders."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.contract.conformance import rule
from drivers.contract.rig import run_rig, until
from hil.simulators.camera import Look
from tests.contract.camera_rigs import CameraRig, ZbarCameraRig


@pytest_asyncio.fixture(params=[CameraRig, ZbarCameraRig], ids=lambda rig: rig.__name__)
async def camera_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CameraRig]:
    async for rig in run_rig(request.param(tmp_path)):
        rig.plug()
        await rig.device.open()
        yield rig


@rule("design.md D26", "Chinese in a QR code arrives right, in UTF-8 and in GB18030")
async def test_camera_chinese_is_read_right_in_both_encodings(camera_rig: CameraRig) -> None:
    for count, encoding in enumerate(("utf-8", "gb18030"), 1):
        text = f"扫码退款 {encoding}"
        camera_rig.sim.show("qr", text.encode(encoding))
        await until(lambda count=count: len(camera_rig.labels) == count)  # type: ignore[misc]
        assert camera_rig.labels[-1] == text


@rule("devices.md 7", "Codes are read upside down, turned by a quarter, slightly tilted and in poor light")
async def test_camera_codes_are_read_however_they_are_held(camera_rig: CameraRig) -> None:
    looks = (Look(angle_deg=180), Look(angle_deg=90), Look(angle_deg=8), Look(contrast=0.5))
    for count, look in enumerate(looks, 1):
        camera_rig.sim.show("code128", f"held-{count}".encode(), look)
        await until(lambda count=count: len(camera_rig.labels) == count)  # type: ignore[misc]
    assert camera_rig.labels == [f"held-{count}" for count in range(1, 5)]


@rule("devices.md 3", "A code that stays in view is one scan")
async def test_camera_code_that_stays_in_view_is_one_scan(camera_rig: CameraRig) -> None:
    for _ in range(4):
        camera_rig.sim.show("qr", b"6901234567892")
    camera_rig.sim.show("qr", b"the next one")
    await until(lambda: "the next one" in camera_rig.labels)
    assert camera_rig.labels == ["6901234567892", "the next one"]


@rule("design.md D26", "A picture without a code, or one that is damaged, is no scan")
async def test_camera_noise_is_no_scan(camera_rig: CameraRig) -> None:
    for _ in range(3):
        camera_rig.sim.show_garbage()
    camera_rig.sim.show("qr", b"after noise", Look(noise_sigma=10))
    await until(lambda: camera_rig.labels)
    assert camera_rig.labels == ["after noise"]


@rule("design.md D14", "Frames are kept nowhere: the driver writes no file")
async def test_camera_driver_writes_no_file(camera_rig: CameraRig, tmp_path: Path) -> None:
    camera_rig.sim.show("qr", b"134567890123456789")
    await until(lambda: camera_rig.labels)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["000001.png"]


@rule("design.md D1", "While nothing is shown the daemon is not woken")
async def test_camera_that_sees_nothing_says_nothing(camera_rig: CameraRig) -> None:
    heard = 0
    feed = camera_rig.driver._protocol.feed

    def count(data: bytes) -> object:
        nonlocal heard
        heard += 1
        return feed(data)

    camera_rig.driver._protocol.feed = count  # type: ignore[method-assign, assignment]
    lost = asyncio.ensure_future(camera_rig.device.wait_lost())
    await asyncio.wait({lost}, timeout=1.0)
    lost.cancel()
    await asyncio.wait({lost})
    assert heard == 0
