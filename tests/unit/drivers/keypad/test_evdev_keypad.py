"""The keypad driver on a FIFO: echo at once, 00, NumLock, a scanner in keyboard mode."""

import logging
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.keypad.keycodes import KEY_CODES, KEY_ENTER, KEY_KP0, KEY_KPENTER, KEY_NUMLOCK
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Key, KeyPressed
from tests.contract.rigs import EvdevKeypadRig, settle
from tests.fakes.waiting import until


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[EvdevKeypadRig]:
    rig = EvdevKeypadRig(tmp_path)
    rig.plug()
    await rig.device.open()
    yield rig
    await rig.device.close()
    rig.unplug()


def _keys(rig: EvdevKeypadRig) -> list[Key]:
    return [event.key for event in rig.events if isinstance(event, KeyPressed)]


async def test_keypad_slow_key_is_given_in_the_next_turn_of_the_loop(rig: EvdevKeypadRig) -> None:
    for count in range(1, 4):
        rig.send(KEY_CODES["KEY_KP7"], gap_us=100_000)
        await settle()
        assert _keys(rig) == [Key.KEY_7] * count


async def test_keypad_double_zero_key_is_two_zeros(rig: EvdevKeypadRig) -> None:
    rig.send(KEY_KP0, gap_us=100_000)
    rig.send(KEY_KP0, gap_us=4_000)
    await until(lambda: len(_keys(rig)) == 2)

    assert _keys(rig) == [Key.KEY_0, Key.KEY_0]


async def test_keypad_numlock_around_each_key_is_ignored(rig: EvdevKeypadRig) -> None:
    for name in ("KEY_KP1", "KEY_KP2", "KEY_KP3"):
        rig.send(KEY_NUMLOCK, gap_us=100_000)
        rig.send(KEY_CODES[name], gap_us=1_000)
        rig.send(KEY_NUMLOCK, gap_us=1_000)
    await settle()

    assert _keys(rig) == [Key.KEY_1, Key.KEY_2, Key.KEY_3]


async def test_keypad_burst_is_dropped_said_and_taken_back(rig: EvdevKeypadRig) -> None:
    rig.send(KEY_CODES["KEY_1"], gap_us=100_000)
    for _ in range(16):
        rig.send(KEY_CODES["KEY_1"], gap_us=2_000)
    rig.send(KEY_ENTER, gap_us=2_000)
    said = DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code="keyboard_mode")
    await until(lambda: said in rig.events)

    assert Key.ENTER not in _keys(rig)
    assert rig.device.counters["KeyboardModeBurstCount"] == 1
    assert rig.device.counters["KeyboardModeDroppedKeyCount"] == 17

    rig.events.clear()
    rig.send(KEY_KPENTER, gap_us=900_000)
    await until(lambda: len(rig.events) == 2)
    assert rig.events[0] == DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code="")
    assert _keys(rig) == [Key.ENTER]


async def test_keypad_key_that_means_nothing_is_counted(rig: EvdevKeypadRig) -> None:
    rig.send(KEY_CODES["KEY_SPACE"], gap_us=100_000)
    await settle()

    assert rig.events == []
    assert rig.device.counters["UnknownKeyCount"] == 1


async def test_keypad_event_split_over_reads_is_whole(rig: EvdevKeypadRig) -> None:
    event = struct.pack("@llHHi", 7, 0, 1, KEY_CODES["KEY_KP5"], 1)
    for byte in event:
        os.write(rig.writer, bytes([byte]))
        await settle()

    assert _keys(rig) == [Key.KEY_5]


async def test_keypad_never_logs_keys(rig: EvdevKeypadRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await rig.press([Key.KEY_4, Key.KEY_7, Key.KEY_1, Key.KEY_9])
    await until(lambda: len(_keys(rig)) == 4)

    assert [record for record in caplog.records if record.name.startswith("drivers")] == []
