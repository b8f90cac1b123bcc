"""Which event nodes are the keypad, on a tree of /sys and /dev as the kernel makes it."""

import errno
import os
from pathlib import Path

import pytest

from drivers.keypad.nodes import find_nodes


class Machine:
    """Event nodes on USB ports; /dev/input holds links to /dev/null, the one character device that every test has."""

    def __init__(self, folder: Path) -> None:
        self.system, self.devices = folder / "sys" / "class" / "input", folder / "dev" / "input"
        self._units = folder / "sys" / "devices"
        self.system.mkdir(parents=True)
        self.devices.mkdir(parents=True)
        (self.system / "mice").mkdir()

    def add(self, port: str, *, vid: str, pid: str, serial: str = "", nodes: tuple[int, ...]) -> None:
        unit = self._units / port
        unit.mkdir(parents=True)
        for name, value in (("idVendor", vid), ("idProduct", pid), ("serial", serial)):
            if value:
                (unit / name).write_text(value + "\n")
        for index, number in enumerate(nodes):
            folder = unit / f"{port}:1.{index}" / "0003:04D9.0001" / "input" / f"input{number}" / f"event{number}"
            folder.mkdir(parents=True)
            (self.system / f"event{number}").symlink_to(folder)
            (self.devices / f"event{number}").touch()

    def find(self, path: str) -> list[str]:
        found = find_nodes(path, system=self.system, devices=self.devices)
        return [Path(node).name for node in found]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    machine.add("1-1.1", vid="04d9", pid="1203", nodes=(3, 4))
    machine.add("1-1.2", vid="0c2e", pid="0200", serial="S1", nodes=(5,))
    monkeypatch.setattr("stat.S_ISCHR", lambda mode: mode & 0o170000 == 0o100000)  # plain files stand for nodes
    return machine


def test_keypad_named_by_its_port_takes_both_nodes_of_the_unit(machine: Machine) -> None:
    """field.md 10, 17: bound by port; the second node of one keypad is grabbed with the first."""
    link = machine.devices / "by-path-keypad-event-kbd"
    link.symlink_to(machine.devices / "event4")
    assert machine.find(str(link)) == ["by-path-keypad-event-kbd", "event3"]


def test_keypad_named_by_vid_and_pid_is_found_wherever_it_is_plugged_in(machine: Machine) -> None:
    """field.md 10: matched by VID:PID, never by capability: the scanner that types is not it."""
    assert machine.find("usb:04D9:1203") == ["event3", "event4"]
    assert machine.find("usb:0c2e:0200:s1") == ["event5"]


@pytest.mark.parametrize("path", ["usb:04d9:9999", "usb:0c2e:0200:other", "/dev/input/nothing"])
def test_keypad_that_is_not_attached_is_no_device(machine: Machine, path: str) -> None:
    with pytest.raises(OSError, match="not attached") as caught:
        machine.find(path)
    assert caught.value.errno == errno.ENODEV


def test_keypads_that_look_alike_are_not_guessed_between(machine: Machine) -> None:
    machine.add("1-1.3", vid="04d9", pid="1203", nodes=(12,))
    with pytest.raises(OSError, match="several keypads match") as caught:
        machine.find("usb:04d9:1203")
    assert caught.value.errno == errno.ENOTUNIQ


def test_keypad_that_is_on_no_usb_has_its_own_node_only(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "sys" / "devices" / "platform" / "input0" / "event0"
    folder.mkdir(parents=True)
    (machine.system / "event0").symlink_to(folder)
    (machine.devices / "event0").touch()
    assert machine.find(str(machine.devices / "event0")) == ["event0"]


def test_keypad_of_the_bench_is_the_fifo_itself(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keypad")
    assert find_nodes(str(tmp_path / "keypad")) == (str(tmp_path / "keypad"),)
