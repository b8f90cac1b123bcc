"""Keyboards that nobody bound (field.md 10), on a tree of /sys and ptys as event nodes."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.keypad.keycodes import KEY_CODES
from drivers.keypad.nodes import is_event_node
from drivers.keypad.strangers import Strangers, keyboards
from drivers.links.opener import Opener
from tests.contract.conformance import rule
from tests.contract.rigs import Pty
from tests.fakes.waiting import until

#: Of a full keyboard and of a power button, as the kernel of a Pi 4 prints them (64-bit words, the highest first).
KEYBOARD = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
POWER_BUTTON = "10000000000000 0"
#: linux/input.h
_EVIOCGRAB = 0x40044590


class Machine:
    """Event nodes that come and go."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.system, self.devices = folder / "sys", folder / "dev"
        self.system.mkdir()
        self.devices.mkdir()
        self.ptys: dict[str, Pty] = {}
        self.changes: list[tuple[str, ...]] = []
        self.scans = 0
        self.grabs = 0
        self.strangers = Strangers(
            opener=Opener(),
            on_change=lambda: self.changes.append(self.strangers.names),
            on_scan=self._on_scan,
            system=self.system,
            devices=self.devices,
        )
        monkeypatch.setattr("drivers.links.evdev_port.fcntl.ioctl", self._ioctl)

    def _on_scan(self) -> None:
        self.scans += 1

    def _ioctl(self, _fd: int, request: int, argument: object) -> object:
        self.grabs += request == _EVIOCGRAB
        return argument

    def add(self, name: str, keys: str = KEYBOARD) -> None:
        folder = self.system / name / "device" / "capabilities"
        folder.mkdir(parents=True)
        (folder / "key").write_text(keys + "\n")
        self.ptys[name] = Pty(self.devices / name)
        self.ptys[name].plug()

    def pull(self, name: str) -> None:
        for path in sorted((self.system / name).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (self.system / name).rmdir()
        self.ptys.pop(name).unplug()

    def type(self, name: str, *codes: int) -> None:
        events = b"".join(
            struct.pack("@llHHi", 1, 2000 * place, 1, code, 1) + struct.pack("@llHHi", 1, 2000 * place, 0, 0, 0)
            for place, code in enumerate(codes)
        )
        os.write(self.ptys[name].master, events)


@pytest_asyncio.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path, monkeypatch)
    yield machine
    await machine.strangers.close()
    for pty in machine.ptys.values():
        pty.unplug()


@rule(
    "field.md 10",
    "Any other keyboard is grabbed and ignored; a power button is left to the system",
    sheet="keypad-evdev",
)
async def test_strangers_grab_every_keyboard_but_the_keypad_and_no_power_button(machine: Machine) -> None:
    for name, keys in (("event0", POWER_BUTTON), ("event3", KEYBOARD), ("event4", KEYBOARD)):
        machine.add(name, keys)
    assert keyboards(machine.system) == {"event3", "event4"}
    machine.strangers.start([str(machine.devices / "event3")])
    await until(lambda: machine.strangers.names)
    assert machine.strangers.names == ("event4",)
    assert machine.grabs == 1


@rule(
    "field.md 10",
    "A keyboard that is plugged in later is grabbed too, and forgotten when it is pulled",
    sheet="keypad-evdev",
)
async def test_strangers_plugged_in_later_is_grabbed_and_forgotten_when_pulled(machine: Machine) -> None:
    machine.strangers.start([])
    await asyncio.sleep(0)
    machine.add("event7")
    await until(lambda: machine.changes == [("event7",)])
    machine.pull("event7")
    await until(lambda: machine.changes == [("event7",), ()])


@rule(
    "field.md 10",
    "A scanner that types into a node of its own is recognised; its code goes nowhere",
    sheet="keypad-evdev",
)
async def test_strangers_scanner_that_types_is_told_from_a_person(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.add("event7")
    machine.strangers.start([])
    await until(lambda: machine.strangers.names)
    machine.type("event7", KEY_CODES["KEY_5"])
    machine.type("event7", *[KEY_CODES[f"KEY_{digit}"] for digit in "134567890123456789"], KEY_CODES["KEY_ENTER"])
    await until(lambda: machine.scans == 1)
    assert "1345" not in caplog.text


async def test_strangers_node_that_cannot_be_opened_is_left_and_looked_at_again(machine: Machine) -> None:
    machine.add("event7")
    node = machine.ptys["event7"].path
    slave = node.readlink()
    node.unlink()  # listed by the kernel, not made by udev yet
    machine.strangers.start([])
    for _ in range(5):
        await asyncio.sleep(0)
    assert machine.strangers.names == ()
    node.symlink_to(slave)
    await until(lambda: machine.strangers.names == ("event7",))


def test_fifo_of_the_bench_is_no_event_node_so_no_keyboard_is_grabbed_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keypad")
    assert not is_event_node(str(tmp_path / "keypad"))
    (tmp_path / "by-path").symlink_to("/dev/input/event3")
    assert is_event_node(str(tmp_path / "by-path"))
