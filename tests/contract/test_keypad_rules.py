"""field.md 10 and 17 at the keypad: stuck keys, dropped events, worn contacts, two nodes, NumLock."""

import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drivers.keypad import evdev_keypad
from drivers.keypad.decoder import EvdevDecoder
from drivers.keypad.evdev_keypad import EvdevKeypad
from drivers.keypad.keycodes import KEY_CODES, KEY_KP0
from drivers.keypad.keymap import load_keymap
from drivers.links import evdev_port
from drivers.links.opener import Opener
from hil.simulators.keypad import SimKeypad
from pos_agent.domain.config import KeypadConfig
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Event, Key, KeyPressed
from pos_agent.errors import OfflineError
from tests.contract.conformance import rule
from tests.contract.rigs import KEYMAP, EvdevKeypadRig
from tests.fakes.waiting import until

STUCK = DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code="stuck_key")
FINE = DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code="")
KP1, KP2 = KEY_CODES["KEY_KP1"], KEY_CODES["KEY_KP2"]


class _Sheet:
    """Where the outcome of this file's rules is written."""

    sheet = "keypad-evdev"


@pytest.fixture(autouse=True)
def on_sheet() -> _Sheet:
    return _Sheet()


class Pad:
    """The driver in front of the simulated USB pad."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.sim = SimKeypad(folder / "keypad")
        config = KeypadConfig(path=str(folder / "keypad"))
        self.device = EvdevKeypad(config, keymap=load_keymap(KEYMAP), sink=self.events.append, opener=Opener())

    @property
    def keys(self) -> list[Key]:
        return [event.key for event in self.events if isinstance(event, KeyPressed)]


@pytest_asyncio.fixture
async def pad(tmp_path: Path) -> AsyncIterator[Pad]:
    pad = Pad(tmp_path)
    pad.sim.plug()
    await pad.device.open()
    yield pad
    await pad.device.close()
    pad.sim.close()


def _event(kind: int, code: int, value: int, *, at_ms: int = 0) -> bytes:
    return struct.pack("@llHHi", 1 + at_ms // 1000, at_ms % 1000 * 1000, kind, code, value)


@rule("field.md 17", "A stuck key enters once, is said until it is free, and the other keys go on working")
async def test_keypad_stuck_key_is_one_press_and_is_said_until_it_is_free(
    pad: Pad, monkeypatch: pytest.MonkeyPatch
) -> None:
    """field.md 17, `stuck_key`: auto-repeat enters nothing, the other keys go on working."""
    monkeypatch.setattr(evdev_keypad, "STUCK_S", 0.4)
    pad.sim.stick("5")
    await until(lambda: STUCK in pad.events)
    await pad.sim.press(["1"])
    await until(lambda: pad.keys == [Key.KEY_5, Key.KEY_1])
    assert pad.events.count(STUCK) == 1

    pad.sim.release("5")
    await until(lambda: FINE in pad.events)
    assert pad.keys == [Key.KEY_5, Key.KEY_1]


async def test_keypad_key_held_for_a_while_is_not_stuck(pad: Pad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evdev_keypad, "STUCK_S", 5.0)
    await pad.sim.press(["CLEAR", "CLEAR"], hold_ms=60)
    await until(lambda: pad.keys == [Key.CLEAR, Key.CLEAR])
    assert STUCK not in pad.events
    await until(lambda: pad.device._held_timer is None)  # no timer while no key is down: an idle till sleeps


@rule("field.md 17", "SYN_DROPPED: discard up to SYN_REPORT, ask EVIOCGKEY; a press is never made up")
async def test_keypad_dropped_events_press_nothing_and_the_state_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """field.md 17: on SYN_DROPPED discard up to SYN_REPORT and ask EVIOCGKEY; ENTER is never made up."""
    rig = EvdevKeypadRig(tmp_path)
    rig.plug()
    await rig.device.open()
    asked: list[int] = []
    enter = KEY_CODES["KEY_KPENTER"]

    def keys_down(fd: int) -> frozenset[int]:
        asked.append(fd)
        return frozenset({enter})

    monkeypatch.setattr(evdev_keypad, "keys_down", keys_down)
    dropped = _event(0, 3, 0) + _event(1, KP1, 1) + _event(1, enter, 1) + _event(0, 0, 0)
    os.write(rig.writer, dropped + _event(1, enter, 0, at_ms=100) + _event(0, 0, 0) + _event(1, KP2, 1, at_ms=300))
    await until(lambda: any(isinstance(event, KeyPressed) for event in rig.events))

    assert [event.key for event in rig.events if isinstance(event, KeyPressed)] == [Key.KEY_2]
    assert len(asked) == 1
    assert rig.device.counters["EventsDroppedCount"] == 1
    await rig.device.close()
    rig.unplug()


def test_decoder_after_dropped_events_knows_the_keys_that_it_was_told() -> None:
    decoder = EvdevDecoder()
    stale = []
    for data in (_event(1, KP1, 1) + _event(0, 3, 0) + _event(1, KP1, 0), _event(0, 0, 0)):
        decoder.feed(data)
        stale.append(decoder.is_stale)
    assert stale == [False, True]
    decoder.resync({KP2})
    assert (decoder.down, decoder.is_stale) == (frozenset({KP2}), False)


def test_keys_down_reads_the_bits_of_eviocgkey_and_a_fifo_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    fd = os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK)
    assert evdev_port.keys_down(fd) == frozenset()
    os.close(fd)

    def ioctl(_fd: int, request: int, argument: bytes) -> bytes:
        assert request == 0x80604518  # EVIOCGKEY(96)
        bits = 1 << KP1 | 1 << KEY_CODES["KEY_KPENTER"]
        return bits.to_bytes(len(argument), "little")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert evdev_port.keys_down(7) == {KP1, KEY_CODES["KEY_KPENTER"]}


@rule("field.md 17", "No debounce: bounce is counted, and two KP0 a few ms apart are the 00 key")
def test_keypad_worn_contact_is_counted_and_the_double_zero_key_is_not() -> None:
    """field.md 17: no software debounce; bounce is only reported, and two KP0 a few ms apart are the 00 key."""
    decoder = EvdevDecoder()
    bounce = b"".join(_event(1, KP1, value, at_ms=at) for value, at in ((1, 0), (0, 30), (1, 36), (0, 60)))
    assert len(decoder.feed(bounce)) == 2
    assert decoder.bounce_count == 1
    zeros = b"".join(_event(1, KEY_KP0, value, at_ms=at) for value, at in ((1, 100), (0, 101), (1, 104), (0, 105)))
    assert len(decoder.feed(zeros)) == 2
    assert decoder.bounce_count == 1


@rule("field.md 10", "Both nodes of a pad are one keypad; the one that goes takes it with it")
async def test_keypad_with_two_nodes_is_one_keypad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """field.md 10: keys of either node count, and a node that goes takes the keypad with it."""
    first, second = EvdevKeypadRig(tmp_path), SimKeypad(tmp_path / "second")
    first.plug()
    second.plug()
    monkeypatch.setattr(evdev_keypad, "find_nodes", lambda _path: (str(first.path), str(second.path)))
    await first.device.open()
    first.send(KP1, gap_us=100_000)
    await until(lambda: len(first.events) == 1)
    await second.press(["2"])
    await until(lambda: len(first.events) == 2)
    second.close()
    error = await first.device.wait_lost()

    assert [event.key for event in first.events if isinstance(event, KeyPressed)] == [Key.KEY_1, Key.KEY_2]
    assert isinstance(error, OfflineError)
    await first.device.close()
    first.unplug()


@rule("field.md 10", "A pad that can be grabbed only in part is not taken")
async def test_keypad_whose_second_node_cannot_be_opened_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = EvdevKeypadRig(tmp_path)
    rig.plug()
    monkeypatch.setattr(evdev_keypad, "find_nodes", lambda _path: (str(rig.path), str(tmp_path / "gone")))
    with pytest.raises(Exception, match="does not exist"):
        await rig.device.open()
    with pytest.raises(BrokenPipeError):  # nobody reads the first node any more
        os.write(rig.writer, b"x")
    rig.unplug()


@rule("field.md 17", "Grabbed only with all keys up; then NumLock is lit")
def test_keypad_is_grabbed_with_all_keys_up_and_numlock_lit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """field.md 17: grab only when EVIOCGKEY shows all keys up; then EV_LED/LED_NUML = 1, after each plugging in."""
    node = tmp_path / "event3"
    node.touch()
    held = [bytes([0, 2]) + bytes(94), bytes(96)]  # ENTER was still down at the first look
    requests: list[int] = []

    def ioctl(_fd: int, request: int, argument: Any) -> Any:
        requests.append(request)
        return held.pop(0) if request == 0x80604518 else 0

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    port = evdev_port.EvdevPort(str(node))
    port.release(port.acquire())

    assert requests[:3] == [0x80604518, 0x80604518, 0x40044590]  # EVIOCGKEY twice, then EVIOCGRAB
    led = struct.unpack_from("@llHHi", node.read_bytes())
    assert led[2:] == (0x11, 0, 1)
