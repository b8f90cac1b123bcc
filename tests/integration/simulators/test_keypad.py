"""The keypad FIFO: evdev events as the kernel writes them."""

import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil.simulators.keypad import USB_NUMPAD, SimKeypad

EVENT = struct.Struct("@llHHi")
EV_KEY = 1


@pytest_asyncio.fixture
async def keypad(tmp_path: Path) -> AsyncIterator[SimKeypad]:
    device = SimKeypad(tmp_path / "keypad", USB_NUMPAD)
    await device.start()
    yield device
    device.close()


def open_node(keypad: SimKeypad) -> int:
    return os.open(keypad.path, os.O_RDONLY | os.O_NONBLOCK)


def keys(fd: int) -> list[tuple[int, int]]:
    """Return (code, value) of the key events that wait."""
    events = [EVENT.unpack(chunk) for chunk in _chunks(os.read(fd, 65536))]
    return [(code, value) for _, _, kind, code, value in events if kind == EV_KEY]


def _chunks(data: bytes) -> list[bytes]:
    assert len(data) % EVENT.size == 0
    return [data[start : start + EVENT.size] for start in range(0, len(data), EVENT.size)]


async def test_key_press_is_down_and_up_each_ended_by_syn(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    try:
        await keypad.press(["ENTER"])
        events = [EVENT.unpack(chunk)[2:] for chunk in _chunks(os.read(fd, 65536))]
        # MSC_SCAN, EV_KEY down, SYN_REPORT; the same for up. KEY_KPENTER = 96 (linux/input-event-codes.h)
        assert events == [(4, 4, 0x70060), (1, 96, 1), (0, 0, 0), (4, 4, 0x70060), (1, 96, 0), (0, 0, 0)]
    finally:
        os.close(fd)


async def test_logical_keys_become_the_pads_codes(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    try:
        await keypad.press(["3", "00", "DOT", "CANCEL", "F4", "KEY_NUMLOCK"])
        assert [code for code, value in keys(fd) if value == 1] == [81, 82, 82, 83, 98, 62, 69]
    finally:
        os.close(fd)


async def test_unknown_key_is_refused(keypad: SimKeypad) -> None:
    with pytest.raises(KeyError):
        await keypad.press(["PANIC"])


async def test_keys_without_a_reader_are_lost(keypad: SimKeypad) -> None:
    await keypad.press(["1", "2"])
    fd = open_node(keypad)
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        assert keypad.dropped_key_count == 2
    finally:
        os.close(fd)


async def test_key_held_long_repeats(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    try:
        await keypad.press(["CLEAR"], hold_ms=300)
        values = [value for _, value in keys(fd)]
        assert values[0] == 1
        assert values[-1] == 0
        assert 1 <= values.count(2) <= 3
    finally:
        os.close(fd)


async def test_stuck_key_repeats_until_released(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    try:
        keypad.stick("7")
        keypad.release("7")
        assert keys(fd) == [(71, 1), (71, 0)]
    finally:
        os.close(fd)


async def test_burst_types_like_a_scanner_in_keyboard_mode(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    try:
        await keypad.burst("a12", gap_ms=0)
        assert [code for code, value in keys(fd) if value == 1] == [30, 2, 3, 28]
    finally:
        os.close(fd)


async def test_unplug_is_end_of_file_and_plug_makes_a_new_node(keypad: SimKeypad) -> None:
    fd = open_node(keypad)
    keypad.unplug()
    assert os.read(fd, 100) == b""
    os.close(fd)
    assert not keypad.path.exists()
    await keypad.press(["1"])
    keypad.plug()
    fd = open_node(keypad)
    try:
        await keypad.press(["2"])
        assert keys(fd) == [(80, 1), (80, 0)]
    finally:
        os.close(fd)
