"""The shipped units say what systemd and our own command line understand, and keep what field.md asks for."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from drivers.scanner.table import TABLE_PATH, load_table
from pos_agent.cli import build_parser
from pos_agent.domain.config import DisplayConfig

FOLDER = Path(__file__).parents[3] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
#: Groups that Debian's base-passwd makes (its group.master); one that is missing stops the unit with 216/GROUP.
BASE_GROUPS = {"lp", "dialout", "input", "video", "tty"}
#: Names of character drivers in /proc/devices. Source: linux, Documentation/admin-guide/devices.txt and the drivers'
#: register_chrdev_region calls: usblp and usbfs, usb-serial, cdc-acm, amba-pl011, 8250, evdev, fbmem, v4l2.
DRIVERS = {"usb", "usb_device", "ttyUSB", "ttyACM", "ttyAMA", "ttyS", "input", "fb", "video4linux"}


def _values(name: str, key: str) -> list[str]:
    lines = (FOLDER / name).read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return a copy that can be verified on a machine on which the agent is not installed."""
    text = re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", (FOLDER / "pos-agent.service").read_text())
    path = tmp_path / "pos-agent.service"
    path.write_text(text)
    drop_ins = tmp_path / "pos-agent.service.d"
    drop_ins.mkdir()
    shutil.copy(FOLDER / "pos-agent-screen.conf", drop_ins / "screen.conf")
    return path


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_unit_and_drop_in_have_no_key_that_systemd_does_not_know(unit: Path) -> None:
    found = _analyze("verify", str(unit))
    # Parts of the message: what a machine without a running systemd says of other units is not ours.
    assert [line for line in found.stderr.splitlines() if "pos-agent" in line] == []
    (unit.parent / "pos-agent.service.d" / "wrong.conf").write_text("[Service]\nTTYRest=yes\n")
    assert "TTYRest" in _analyze("verify", str(unit)).stderr, "a planted fault is seen in a drop-in"


@needs_systemd
def test_f3_unit_is_exposed_no_more_than_field_md_allows(unit: Path) -> None:
    found = _analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
    score = re.search(r"exposure level for pos-agent.service: ([\d.]+)", found)
    assert score is not None, found
    assert float(score[1]) <= 1.5
    assert "AF_NETLINK" in _values("pos-agent.service", "RestrictAddressFamilies")[0], "libusb fails without"
    assert _values("pos-agent.service", "ProcSubset") == [], "diagnostics read /proc/meminfo"


def test_unit_starts_the_command_line_that_there_is() -> None:
    (command,) = _values("pos-agent.service", "ExecStart")
    program, *arguments = command.split()
    assert program.endswith("/bin/pos-agent")
    parsed = build_parser().parse_args(arguments)
    assert (parsed.command, str(parsed.config)) == ("run", "/etc/pos-agent/terminal.toml")
    assert "/etc/pos-agent" in (FOLDER / "pos-agent.tmpfiles").read_text()


def test_unit_runs_as_the_user_that_sysusers_makes_in_groups_that_debian_has() -> None:
    made = (FOLDER / "pos-agent.sysusers").read_text().split()[1]
    assert _values("pos-agent.service", "User") == _values("pos-agent.service", "Group") == [made]
    assert set(_values("pos-agent.service", "SupplementaryGroups")[0].split()) == BASE_GROUPS


def test_f8_unit_never_gives_up_but_for_a_missing_configuration() -> None:
    assert _values("pos-agent.service", "StartLimitIntervalSec") == ["0"]
    assert _values("pos-agent.service", "RestartPreventExitStatus") == ["78"]
    after = " ".join(_values("pos-agent.service", "After"))
    assert "network-online" not in after
    assert "time-sync" not in after


def test_unit_opens_the_nodes_of_every_driver_and_nothing_else() -> None:
    allowed = [value.split() for value in _values("pos-agent.service", "DeviceAllow")]
    assert {rights for _, rights in allowed} == {"rw"}
    assert {node.removeprefix("char-") for node, _ in allowed if node.startswith("char-")} == DRIVERS
    assert [node for node, _ in allowed if node.startswith("/")] == ["/dev/tty1"]
    assert _values("pos-agent.service", "DevicePolicy") == ["closed"]


def test_f2_screen_drop_in_gives_the_console_back_whatever_ends_the_daemon() -> None:
    screen = configparser.ConfigParser(strict=True, interpolation=None)
    screen.optionxform = str  # type: ignore[assignment,method-assign] # keys of systemd keep their case
    screen.read_string((FOLDER / "pos-agent-screen.conf").read_text())
    assert dict(screen["Service"]) == {
        "StandardInput": "tty",
        "TTYPath": "/dev/tty1",
        "TTYReset": "yes",
        "TTYVHangup": "yes",
        "StandardOutput": "journal",
        "StandardError": "journal",
    }
    # The order makes systemd stop the login prompt before it takes the terminal.
    assert dict(screen["Unit"]) == {"Conflicts": "getty@tty1.service", "After": "getty@tty1.service"}
    assert screen["Service"]["TTYPath"] in " ".join(_values("pos-agent.service", "DeviceAllow"))
    assert DisplayConfig(console=screen["Service"]["TTYPath"]).console == "/dev/tty1"


def test_f2_kiosk_files_leave_no_key_that_leads_away_from_the_menu() -> None:
    logind = configparser.ConfigParser(strict=True, interpolation=None)
    logind.optionxform = str  # type: ignore[assignment,method-assign] # keys of systemd keep their case
    logind.read_string((FOLDER / "pos-agent-kiosk-logind.conf").read_text())
    assert dict(logind["Login"]) == {"NAutoVTs": "0", "ReserveVT": "0", "HandlePowerKey": "ignore"}
    assert "kernel.sysrq = 0" in (FOLDER / "pos-agent-kiosk.sysctl").read_text().splitlines()
    pages = ("technician.md", "displays-and-keypads.md")
    text = "".join((FOLDER.parent / "docs" / page).read_text(encoding="utf-8") for page in pages)
    for words in ("systemctl mask ctrl-alt-del.target", "consoleblank=0 quiet vt.global_cursor_default=0"):
        assert words in text, "what no file of ours can do, the technician does"


def test_f23_modem_manager_leaves_every_known_scanner_and_display_alone() -> None:
    rules = (FOLDER / "60-pos-agent.rules").read_text()
    ignored = re.findall(r'ATTRS\{idVendor\}=="([^"]+)".*ID_MM_DEVICE_IGNORE', rules)
    vendors = {vendor for row in ignored for vendor in row.split("|")}
    table = load_table(FOLDER.parent / "config" / TABLE_PATH)
    assert {row.usb_vendor for row in table.scanner} <= vendors
    # Adapters of poles and serial printers: CH340, CP2102, PL2303, FT232.
    assert {"1a86", "10c4", "067b", "0403"} <= vendors


RULE = re.compile(r'[A-Z]+(\{\w+\})?(==|!=|=|\+=)"[^"]*"')


@pytest.mark.parametrize(
    "line", [line for line in (FOLDER / "60-pos-agent.rules").read_text().splitlines() if not line.startswith("#")]
)
def test_udev_rule_is_made_of_known_pieces_and_opens_nothing_to_all(line: str) -> None:
    pieces = line.split(", ")
    assert all(RULE.fullmatch(piece) for piece in pieces), line
    keys = {re.split(r"[{=!+]", piece)[0] for piece in pieces}
    assert keys <= {"SUBSYSTEM", "KERNEL", "ENV", "ATTR", "ATTRS", "GROUP", "MODE", "IMPORT", "SYMLINK"}
    assert "0666" not in line
    assert pieces[0].startswith("SUBSYSTEM==")


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_file_has_its_place_on_the_page_of_who_installs_it(name: str) -> None:
    page = "backoffice.md" if name.startswith("pos-backoffice") else "technician.md"
    text = (FOLDER.parent / "docs" / page).read_text(encoding="utf-8")
    assert f"| `{name}` | `/etc/" in text, "a person must find out where it goes"
