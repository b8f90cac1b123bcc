"""`pos-agent devices` on machines made of files: what is attached, what it is taken for and why, who holds what."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.escpos.profile import Profile
from pos_agent.cli import main
from pos_agent.protocol.control import DeviceStatus
from tests.fakes.samples import make_status
from tests.unit.app.machine import KEYBOARD, POS_DESCRIPTOR, POS_HID, Machine

DATA = Path(__file__).parents[3] / "config"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "root")


def run(machine: Machine, capsys: pytest.CaptureFixture[str], *, devices: str = "") -> tuple[int, str, Any]:
    """Return exit code, text and JSON of both forms of the command."""
    config = machine.configure(devices)
    arguments = ["devices", "--config", str(config), "--data-dir", str(DATA), "--root", str(machine.root)]
    code = main(arguments)
    text = capsys.readouterr().out
    assert main([*arguments, "--json", "list"]) == code
    before = capsys.readouterr().out
    assert main(["devices", "list", *arguments[1:], "--json"]) == code
    assert capsys.readouterr().out == before, "options may stand before and behind the action"
    return code, text, msgspec.json.decode(before)


def test_devices_of_an_empty_machine_are_none_and_nothing_is_wrong(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, found = run(machine, capsys)
    assert code == 0
    assert "attached to USB: nothing" in text
    assert found["units"] == []
    assert found["configured"] == []


def test_printer_is_matched_by_its_usb_id_with_the_reason(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    unit = machine.usb("1-1.2", "04b8:0e28", "TM-T20III", (7, 1, 2), serial="J3YF")
    machine.node("usbmisc", "lp0", below=unit)
    machine.process(77, "cupsd", "/dev/usb/lp0")
    code, text, found = run(machine, capsys, devices='[devices.printer]\nusb = "04b8:0e28:J3YF"\n')

    assert found["units"][0]["recognised"]["profile"] == "epson-tm-t20iii"
    assert "epson-tm-t20iii.toml names 04b8:0e28" in text
    assert "/dev/usb/lp0  HELD by cupsd (pid 77)" in text
    assert code == 1, "somebody else holds the till's printer"


def test_printer_says_whether_it_is_commissioned_and_how_long_its_paper_lasts(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.usb("1-1.2", "04b8:0e28", "TM-T20III", (7, 1, 2), serial="J3YF")
    section = '[devices.printer]\nusb = "04b8:0e28"\n'
    assert "not commissioned, as generic-80mm says" in run(machine, capsys, devices=section)[1]

    folder = machine.root / "var/lib/pos-agent"
    folder.mkdir(parents=True)
    overlay = 'base = "{}"\ncommissioned_at = "2026-11-23"\nmodels = ["EPSON"]\n[facts]\ntier = "processed"\n'
    (folder / "printer.toml").write_text(overlay.format("generic-80mm"))
    device = DeviceStatus(name="printer", is_online=True, counters={"SlipsLeftCount": 233})
    monkeypatch.setattr("pos_agent.app.attached.read_status", lambda _: make_status(devices=(device,)))
    _, text, found = run(machine, capsys, devices=section)
    assert "commissioned 2026-11-23: EPSON, tier processed" in text
    assert "paper for about 233 slips" in text
    assert len(found["configured"][0]["known"]) == 2

    (folder / "printer.toml").write_text(overlay.format("generic-58mm"))
    assert "commissioned as generic-58mm, configured is generic-80mm" in run(machine, capsys, devices=section)[1]


def test_printer_that_no_profile_names_is_left_to_the_width_of_its_paper(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.usb("1-1.3", "0416:5011", "POS58", (7, 1, 2))
    _, text, found = run(machine, capsys)
    assert found["units"][0]["recognised"]["profile"] == ""
    assert "generic-58mm, generic-80mm, raster-80mm" in text
    assert "按纸宽选一个配置" in text


@pytest.mark.parametrize(
    ("interface", "descriptor", "mode", "words"),
    [
        (KEYBOARD, b"", "keyboard", ("当键盘用", "is a keyboard now", "TRMUSB130")),
        (POS_HID, POS_DESCRIPTOR, "hid_pos", ("HID POS", "has no serial port", "TRMUSB130")),
    ],
)
def test_scanner_in_the_wrong_mode_is_explained_with_its_set_up_barcode(
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
    interface: tuple[int, int, int],
    descriptor: bytes,
    mode: str,
    words: tuple[str, ...],
) -> None:
    machine.usb("1-1.4", "0c2e:0b61", "Xenon 1900", interface, descriptor=descriptor)
    _, text, found = run(machine, capsys)
    assert found["units"][0]["recognised"]["mode"] == mode
    assert all(word in text for word in words)


def test_adapter_without_serial_number_is_to_be_named_by_its_port(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = machine.usb("1-1.1", "1a86:7523", "USB Serial", (255, 1, 2))
    machine.node("tty", "ttyUSB0", below=unit, links=("/dev/serial/by-path/platform-usb-0:1.1:1.0-port0",))
    _, text, _ = run(machine, capsys)
    assert "CH340, without a serial number" in text
    assert "/dev/ttyUSB0  = /dev/serial/by-path/platform-usb-0:1.1:1.0-port0" in text


def test_ports_that_are_no_hardware_and_metadata_nodes_are_left_out(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = machine.usb("1-1.5", "046d:0825", "Webcam C270", (14, 1, 0))
    machine.node("video4linux", "video0", below=camera, index="0")
    machine.node("video4linux", "video1", below=camera, index="1")
    machine.node("tty", "ttyAMA0", type="32")
    machine.node("tty", "ttyS3", type="0")
    machine.node("graphics", "fb0", name="vc4drmfb")
    machine.usb("usb1", "1d6b:0002", "root hub", (9, 0, 0))
    _, text, found = run(machine, capsys)
    assert [node["path"] for node in found["ports"]] == ["/dev/ttyAMA0", "/dev/fb0"]
    assert [node["path"] for unit in found["units"] for node in unit["nodes"]] == ["/dev/video0"]
    assert "camera: uvc (USB video class 0E)" in text
    assert "root hub" not in text


def test_configured_devices_are_there_or_absent_by_path_link_and_unit(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = machine.usb("1-1.1", "0c2e:0b61", "Xenon", (2, 2, 1), serial="S123456")
    machine.node("tty", "ttyACM0", below=unit, links=("/dev/serial/by-id/usb-Xenon_S123456-if00",))
    machine.usb("1-1.2", "04d9:1203", "Keypad", KEYBOARD)
    code, text, found = run(
        machine,
        capsys,
        devices='[devices.scanner]\npath = "/dev/serial/by-id/usb-Xenon_S123456-if00"\n'
        '[devices.keypad]\npath = "usb:04d9:1203"\n'
        '[devices.printer]\nlink = "tcp"\npath = "192.0.2.7"\n'
        '[devices.customer_display]\ndriver = "led8"\npath = "/dev/ttyUSB9"\n',
    )
    assert {one["role"]: one["is_there"] for one in found["configured"]} == {
        "scanner": True,
        "keypad": True,
        "printer": None,
        "customer_display": False,
    }
    assert "ABSENT" in text
    assert "on the network, not asked" in text
    assert code == 1


def test_configuration_that_is_broken_does_not_hide_what_is_attached(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.usb("1-1.2", "04b8:0e28", "TM-T20III", (7, 1, 2))
    code, text, found = run(machine, capsys, devices='[devices.scanner]\nbaud = "fast"\n')
    assert code == 2
    assert "TM-T20III" in text
    assert "devices.scanner.baud" in found["problem"]


def test_driver_and_camera_setting_that_do_not_exist_are_named_with_all_that_do(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    for section, key, known in (
        ('[devices.scanner]\ndriver = "serail"\npath = "/dev/ttyUSB0"\n', "devices.scanner.driver", "serial, camera"),
        (
            '[devices.scanner]\ndriver = "camera"\npath = "/dev/video0"\n[devices.scanner.camera]\nsymbols = ["qrr"]\n',
            "devices.scanner.camera.symbols",
            "qr, code128, ean13, ean8, code39",
        ),
        ('[devices.customer_display]\ndriver = "cd5221"\n', "devices.customer_display.driver", "cd5220, led8, led8s"),
    ):
        code, text, found = run(machine, capsys, devices=section)
        check = main(["check-config", "--config", str(machine.configure(section)), "--data-dir", str(DATA)])
        said = capsys.readouterr().err
        assert (code, check) == (2, 2)
        assert found["problem"].startswith("E-CONFIG: ")
        assert found["problem"] in text
        assert f"pos-agent: {found['problem']}\n" == said
        assert f"{key} ({machine.root.parent / 'terminal.toml'}:" in said, "the line to change"
        assert known in said


def test_process_that_hides_its_files_is_not_taken_for_nobody(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.process(5, "hidden")
    real = Path.iterdir

    def refuse(path: Path) -> Any:
        if path.name == "fd":
            raise PermissionError
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    _, text, found = run(machine, capsys)
    assert found["sees_all_holders"] is False
    assert "not every process could be looked into" in text


@pytest.mark.parametrize("path", sorted((DATA / "devices").glob("*.toml")), ids=lambda path: path.stem)
def test_every_fact_of_a_shipped_profile_has_its_source(path: Path) -> None:
    profile = tomllib.loads(path.read_text("utf-8"))
    facts = set(profile) - {"name", "match", "source"}
    assert set(profile["source"]) == facts
    assert all(len(source) > 8 for source in profile["source"].values())
    assert facts <= {field.name for field in msgspec.structs.fields(Profile)}
