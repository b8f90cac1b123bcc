"""The registry: role → driver by configuration, nothing imported that is not configured."""

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.camera.camera_scanner import CameraScanner
from drivers.display.line_display import CellDisplay
from drivers.keypad.evdev_keypad import EvdevKeypad
from drivers.registry import build_devices
from drivers.scanner.serial_scanner import SerialScanner
from pos_agent.domain.config import DevicesConfig, DisplayConfig, KeypadConfig, PrinterConfig, ScannerConfig
from pos_agent.domain.events import DeviceName, Event
from pos_agent.domain.screen import make_screen
from pos_agent.errors import ConfigFileError, ConfigValueError
from tests.contract.rigs import Pty

CONFIG = Path(__file__).parents[3] / "config"


def _find_data(name: str) -> Path:
    return CONFIG / name


def _sink(_: Event) -> None:
    """Take nothing."""


def test_registry_nothing_configured_builds_nothing() -> None:
    devices = build_devices(DevicesConfig(), sink=_sink, find_data=_find_data)

    assert list(devices) == []
    assert devices.scanner is None


def test_registry_builds_each_role_with_its_driver() -> None:
    config = DevicesConfig(
        scanner=ScannerConfig(path="/dev/serial/by-id/scanner"),
        keypad=KeypadConfig(path="/dev/input/by-id/keypad"),
        printer=PrinterConfig(usb="04b8:0e28"),
        operator_display=DisplayConfig(driver="ansi", path="/dev/tty1"),
        customer_display=DisplayConfig(driver="cd5220", path="/dev/ttyUSB1", columns=20, rows=2),
    )

    devices = build_devices(config, sink=_sink, find_data=_find_data)

    assert isinstance(devices.scanner, SerialScanner)
    assert isinstance(devices.keypad, EvdevKeypad)
    assert isinstance(devices.operator_display, CellDisplay)
    assert devices.operator_display.size == (40, 12)
    assert devices.customer_display is not None
    assert devices.customer_display.size == (20, 2)
    assert {device.name for device in devices} == set(DeviceName)


def test_registry_builds_a_camera_in_the_place_of_the_scanner() -> None:
    config = DevicesConfig(scanner=ScannerConfig(driver="camera", path="/dev/video0"))

    devices = build_devices(config, sink=_sink, find_data=_find_data)

    assert isinstance(devices.scanner, CameraScanner)
    assert devices.scanner.name is DeviceName.SCANNER


@pytest.mark.parametrize("driver", ["framebuffer", "ansi", "serial", "epson", "cd5220", "led8", "led8s"])
def test_registry_knows_every_documented_display(driver: str) -> None:
    config = DevicesConfig(operator_display=DisplayConfig(driver=driver, path="/dev/x", columns=20, rows=4))

    devices = build_devices(config, sink=_sink, find_data=_find_data)

    assert devices.operator_display is not None
    assert devices.operator_display.name is DeviceName.OPERATOR_DISPLAY


def test_registry_unknown_display_driver_is_refused_with_the_known_ones() -> None:
    config = DevicesConfig(operator_display=DisplayConfig(driver="anis", path="/dev/tty1"))

    with pytest.raises(ConfigValueError, match="one of framebuffer, ansi, serial, epson, cd5220, led8, led8s, none"):
        build_devices(config, sink=_sink, find_data=_find_data)


@pytest.mark.parametrize(("driver", "is_known"), [("evdev", True), ("matrix", True), ("ps2", False)])
def test_registry_knows_every_documented_keypad(driver: str, is_known: bool) -> None:
    config = DevicesConfig(keypad=KeypadConfig(driver=driver, path="/dev/x"))
    if not is_known:
        with pytest.raises(ConfigValueError, match="one of evdev, matrix"):
            build_devices(config, sink=_sink, find_data=_find_data)
        return

    keypad = build_devices(config, sink=_sink, find_data=_find_data).keypad

    assert keypad is not None
    assert keypad.name is DeviceName.KEYPAD


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"No Chinese here."), ("gb18030", "退款".encode("gb18030"))])
async def test_registry_operator_display_without_han_tells_the_cashier(
    encoding: str, shown: bytes, tmp_path: Path
) -> None:
    pty = Pty(tmp_path / "display")
    pty.plug()
    operator = DisplayConfig(driver="serial", path=str(pty.path), columns=20, rows=4, encoding=encoding)
    display = build_devices(DevicesConfig(operator_display=operator), sink=_sink, find_data=_find_data).operator_display
    assert display is not None
    await display.open()
    display.show(make_screen(["退款"], columns=20, rows=4))
    received = pty.read_all()
    await display.close()
    pty.unplug()
    assert shown in received


def test_registry_framebuffer_that_is_turned_by_no_right_angle_is_refused() -> None:
    config = DevicesConfig(operator_display=DisplayConfig(driver="framebuffer", path="/dev/fb0", rotate=45))

    with pytest.raises(ConfigValueError, match="rotate"):
        build_devices(config, sink=_sink, find_data=_find_data)


def test_registry_missing_keymap_is_refused() -> None:
    config = DevicesConfig(keypad=KeypadConfig(path="/dev/input/event0", keymap="nowhere"))

    with pytest.raises(ConfigFileError, match=r"nowhere\.toml"):
        build_devices(config, sink=_sink, find_data=_find_data)


def test_registry_not_configured_is_not_imported() -> None:
    code = (
        "import sys; from drivers.registry import build_devices; from pos_agent.domain.config import DevicesConfig;"
        "build_devices(DevicesConfig(), sink=print, find_data=print);"
        "print([name for name in ('serial', 'usb', 'escpos', 'drivers.escpos.printer', 'drivers.scanner.framer')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


async def test_registry_kernel_console_is_said_and_shows_no_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("drivers.links.tty_port._is_kernel_console", lambda _: True)
    pty = Pty(tmp_path / "tty1")
    pty.plug()
    config = DevicesConfig(operator_display=DisplayConfig(driver="ansi", path=str(pty.path)))
    display = build_devices(config, sink=_sink, find_data=_find_data).operator_display
    assert display is not None

    display.show(make_screen(["确认退款"], columns=40, rows=12))
    await display.open()
    shown = pty.read_all()
    await display.close()
    pty.unplug()

    assert b"No Chinese on this display." in shown
    assert "no Chinese glyphs" in caplog.text
