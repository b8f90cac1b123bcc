"""`--rig=hardware FILE`: the suites on ports that a FILE names. A robot with a pty is the board."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A hand, and the board in it: it plugs a pty in at the path, and scans into it.
ROBOT = """\
import os, sys, tty
path, master = sys.argv[1], -1
for line in sys.stdin:
    verb, _, rest = line.strip().partition(" ")
    if verb == "plug":
        master, slave = os.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), path)
        os.close(slave)
    elif verb == "unplug":
        if os.path.islink(path):
            os.unlink(path)
        if master >= 0:
            os.close(master)
            master = -1
    elif verb == "scan" and {can_scan}:
        os.write(master, rest.encode() + b"\\r")
    else:
        print("cannot " + verb, flush=True)
        continue
    print("ok", flush=True)
"""
FILE = """\
[[device]]
role = "scanner"
model = "robot-scanner"
hand = ["{python}", "{robot}", "{port}"]

[device.config]
path = "{port}"
"""
#: A printer that hears and never speaks, and an eye: how often the bytes of a slip began since it last looked.
PRINTER_ROBOT = """\
import os, select, sys, threading, tty
path, paper, pulled, printing = sys.argv[1], bytearray(), threading.Event(), None
def print_all(fd):
    while not pulled.is_set():
        if select.select([fd], [], [], 0.01)[0]:
            try:
                paper.extend(os.read(fd, 4096))
            except OSError:
                pulled.wait(0.01)
    os.close(fd)
for line in sys.stdin:
    verb = line.split()[0]
    if verb == "plug":
        master, slave = os.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), path)
        os.close(slave)
        pulled.clear()
        printing = threading.Thread(target=print_all, args=(master,))
        printing.start()
    elif verb == "unplug":
        if os.path.islink(path):
            os.unlink(path)
        if printing is not None:
            pulled.set()
            printing.join()
            printing = None
    elif verb == "look" and {can_scan}:
        count = paper.count(b"\\x1b@")
        paper.clear()
        if count != 1:
            print("seen", count, flush=True)
            continue
    else:
        print("cannot " + verb, flush=True)
        continue
    print("ok", flush=True)
pulled.set()
"""
PRINTER_FILE = """\
[[device]]
role = "printer"
model = "robot-printer"
hand = ["{python}", "{robot}", "{port}"]

[device.config]
link = "serial"
path = "{port}"
baud = 115200
flow = "none"
profile = "generic-58mm"
"""


def run(
    tmp_path: Path, *, can_scan: bool = True, text: str = FILE, hand: str = ROBOT
) -> "subprocess.CompletedProcess[str]":
    """Run the suites as a technician does, away from this repository's configuration."""
    robot, boards = tmp_path / "robot.py", tmp_path / "boards.toml"
    robot.write_text(hand.replace("{can_scan}", str(can_scan)))
    boards.write_text(text.format(python=sys.executable, robot=robot, port=tmp_path / "port"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "drivers.contract.hardware"]
    return subprocess.run(
        [*command, "--rig=hardware", str(boards), f"--conformance={tmp_path / 'sheets'}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_hardware_rig_runs_the_suites_on_the_named_port_and_writes_its_sheet(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "8 passed" in result.stdout

    sheet = (tmp_path / "sheets" / "robot-scanner.md").read_text("utf-8")
    assert "What ran: the driver on a real board." in sheet
    assert "| Codes arrive whole, once, in order, and are counted | devices.md 3 | passed |" in sheet
    assert sheet in result.stdout, "the sheet is printed, too"


@pytest.mark.slow
def test_hardware_rig_board_that_does_not_do_its_part_fails_and_the_sheet_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, can_scan=False)
    assert result.returncode == 1
    assert "robot-scanner: scan 4200002089202611201078907890: cannot scan" in result.stdout
    assert "| failed |" in (tmp_path / "sheets" / "robot-scanner.md").read_text("utf-8")


@pytest.mark.parametrize("text", ["nothing = 1", '[[device]]\nrole = "toaster"\nmodel = "x"\nconfig = {{}}'])
def test_hardware_rig_file_that_is_none_is_refused_in_words(tmp_path: Path, text: str) -> None:
    result = run(tmp_path, text=text)
    assert result.returncode == 4
    assert "--rig=hardware" in result.stderr


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_hardware_rig_runs_the_printer_suite_and_says_what_does_not_apply(tmp_path: Path) -> None:
    result = run(tmp_path, text=PRINTER_FILE, hand=PRINTER_ROBOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 skipped" in result.stdout, "this printer tells nobody that its paper has ended"

    sheet = (tmp_path / "sheets" / "robot-printer.md").read_text("utf-8")
    assert "What ran: the driver on a real board." in sheet
    assert (
        "| A whole job reaches the printer exactly once, byte for byte, and is claimed. | design.md D13 | passed"
        in sheet
    )
    assert sheet.count("| does not apply |") == 2


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_hardware_rig_slip_that_nobody_sees_is_a_failure_of_the_sheet(tmp_path: Path) -> None:
    result = run(tmp_path, can_scan=False, text=PRINTER_FILE, hand=PRINTER_ROBOT)
    assert result.returncode == 1
    assert "robot-printer: look one slip, whole, once: cannot look" in result.stdout
    assert "| failed |" in (tmp_path / "sheets" / "robot-printer.md").read_text("utf-8")
