"""`pos-agent devices commission`: one named port is asked, nothing that somebody holds, and the TOML works."""

import os
import select
import subprocess
import sys
import threading
import tomllib
import tty
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pos_agent.cli import main
from pos_agent.domain.config import DevicesConfig
from tests.fakes.samples import make_status
from tests.unit.app.machine import KEYBOARD, Machine

DATA = Path(__file__).parents[3] / "config"
#: A Datalogic unit answers `i` with its name; any answer will do. Source: scanners.toml.
ASKED, ANSWER = b"i", b"Gryphon GD4500\r"


class Unit:
    """A real pty with somebody at its other end who answers one request."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.heard = b""
        self._thread = threading.Thread(target=self._answer)
        self._stop_reader, self._stop_writer = os.pipe()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        os.write(self._stop_writer, b"x")
        if self._thread.ident is not None:
            self._thread.join()
        for fd in (self.master, self.slave, self._stop_reader, self._stop_writer):
            os.close(fd)

    def _answer(self) -> None:
        while True:
            ready, _, _ = select.select([self.master, self._stop_reader], [], [])
            if self._stop_reader in ready:
                return
            data = os.read(self.master, 4096)
            self.heard += data
            if data.endswith(ASKED):
                os.write(self.master, ANSWER)


@pytest.fixture
def unit() -> Iterator[Unit]:
    made = Unit()
    yield made
    made.stop()


def scanner(port: str, config: Path, *more: str) -> list[str]:
    arguments = ["devices", "commission", "scanner", "--port", port, "--baud", "9600"]
    return [*arguments, "--config", str(config), "--data-dir", str(DATA), *more]


def test_scanner_that_answers_is_found_and_its_section_is_valid(
    unit: Unit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit.start()
    code = main(scanner(unit.path, tmp_path / "none.toml"))

    out = capsys.readouterr().out
    assert code == 0
    config = msgspec.convert(tomllib.loads(out)["devices"], DevicesConfig)
    assert (config.scanner.path, config.scanner.baud, config.scanner.protocol) == (unit.path, 9600, "plain")
    assert "datalogic answered" in out


def test_scanner_port_that_another_process_holds_is_refused_and_hears_nothing(
    unit: Unit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refund may be under way there: not one byte."""
    unit.start()
    script = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, unit.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        code = main(scanner(unit.path, tmp_path / "none.toml"))
        assert holder.stdin is not None
        holder.stdin.close()

    assert code == 1
    assert f"(pid {holder.pid})" in capsys.readouterr().err
    assert unit.heard == b""


def test_scanner_port_of_the_running_daemon_is_refused_by_its_name(
    unit: Unit, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where /proc shows nobody: the daemon answers, and the configuration names the port."""
    unit.start()
    machine = Machine(tmp_path / "root")
    link = tmp_path / "scanner"
    link.symlink_to(unit.path)
    config = machine.configure(f'[devices.scanner]\npath = "{link}"\n')
    status = make_status(pid=4242)
    monkeypatch.setattr("pos_agent.app.attached.read_status", lambda _: status)
    monkeypatch.setattr("drivers.inventory.open_files", _nobody)
    monkeypatch.setattr("pos_agent.app.attached.holders_of", lambda *_: ())
    monkeypatch.setattr("pos_agent.app.commission.holders_of", lambda *_: ())

    assert main(scanner(unit.path, config)) == 1

    assert "is the scanner of the running pos-agent (pid 4242)" in capsys.readouterr().err
    assert unit.heard == b""


def _nobody(_: Path) -> object:
    from drivers.links.holders import OpenFiles

    return OpenFiles(by_path={}, is_complete=False)


def test_scanner_that_is_silent_is_not_guessed(
    unit: Unit, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.scanner.baud.search_baud", lambda *_, **__: None)
    assert main(scanner(unit.path, tmp_path / "none.toml")) == 1
    captured = capsys.readouterr()
    assert "--listen" in captured.err
    assert captured.out == ""


def test_scanner_port_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(scanner("/dev/ttyUSB99", tmp_path / "none.toml")) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "root")
    pad = made.usb("1-1.1", "04d9:1203", "Keypad", KEYBOARD, KEYBOARD)
    made.node("input", "event3", below=pad, links=("/dev/input/by-path/usb-0:1.1:1.0-event-kbd",))
    made.node("input", "event4", below=pad)
    typing = made.usb("1-1.2", "0c2e:0b61", "Xenon 1900", KEYBOARD)
    made.node("input", "event5", below=typing)
    return made


def keypad(machine: Machine, *which: str) -> list[str]:
    arguments = ["devices", "commission", "keypad", *which, "--config", "/nonexistent", "--data-dir", str(DATA)]
    return [*arguments, "--root", str(machine.root)]


@pytest.mark.parametrize(
    ("which", "path"),
    [
        (("--unit", "04D9:1203"), "usb:04d9:1203"),
        (("--port", "/dev/input/event3"), "/dev/input/by-path/usb-0:1.1:1.0-event-kbd"),
    ],
)
def test_keypad_is_bound_by_unit_or_by_port_with_all_its_nodes(
    machine: Machine, capsys: pytest.CaptureFixture[str], which: tuple[str, str], path: str
) -> None:
    assert main(keypad(machine, *which)) == 0
    out = capsys.readouterr().out
    assert msgspec.convert(tomllib.loads(out)["devices"], DevicesConfig).keypad.path == path
    assert "/dev/input/event3 and /dev/input/event4" in out


@pytest.mark.parametrize("which", [("--unit", "0c2e:0b61"), ("--port", "/dev/input/event5")])
def test_scanner_that_types_is_not_bound_as_a_keypad(
    machine: Machine, capsys: pytest.CaptureFixture[str], which: tuple[str, str]
) -> None:
    assert main(keypad(machine, *which)) == 1
    assert "a scanner, not a keypad" in capsys.readouterr().err


def test_keypad_that_somebody_has_open_is_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.process(9, "evtest", "/dev/input/event4")
    assert main(keypad(machine, "--unit", "04d9:1203")) == 1
    assert "held by evtest (pid 9)" in capsys.readouterr().err
