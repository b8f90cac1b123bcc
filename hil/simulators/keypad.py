"""A USB numeric keypad as evdev sees it: `struct input_event` through a FIFO.

Like an event node it keeps nothing for a reader that is not there, and a reader that opens it finds a writer, so that
end of file means unplugged and nothing else.
"""

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Source: linux/input.h (struct input_event), linux/input-event-codes.h
_EVENT = struct.Struct("@llHHi")
_EV_SYN, _EV_KEY, _EV_MSC = 0x00, 0x01, 0x04
_MSC_SCAN = 0x04
_UP, _DOWN, _REPEAT = 0, 1, 2
KEY_CODES: Mapping[str, int] = {
    "KEY_ESC": 1, "KEY_1": 2, "KEY_2": 3, "KEY_3": 4, "KEY_4": 5, "KEY_5": 6, "KEY_6": 7, "KEY_7": 8, "KEY_8": 9,
    "KEY_9": 10, "KEY_0": 11, "KEY_MINUS": 12, "KEY_BACKSPACE": 14, "KEY_TAB": 15, "KEY_ENTER": 28, "KEY_DOT": 52,
    "KEY_KPASTERISK": 55, "KEY_F1": 59, "KEY_F2": 60, "KEY_F3": 61, "KEY_F4": 62, "KEY_NUMLOCK": 69, "KEY_KP7": 71,
    "KEY_KP8": 72, "KEY_KP9": 73, "KEY_KPMINUS": 74, "KEY_KP4": 75, "KEY_KP5": 76, "KEY_KP6": 77, "KEY_KPPLUS": 78,
    "KEY_KP1": 79, "KEY_KP2": 80, "KEY_KP3": 81, "KEY_KP0": 82, "KEY_KPDOT": 83, "KEY_KPENTER": 96, "KEY_KPSLASH": 98,
    "KEY_UP": 103, "KEY_DOWN": 108, "KEY_PAGEDOWN": 109, "KEY_KPCOMMA": 121,
}  # fmt: skip
#: Letters by their codes, for a scanner in keyboard mode.
_LETTERS = dict(zip("qwertyuiop", range(16, 26), strict=True))
_LETTERS |= dict(zip("asdfghjkl", range(30, 39), strict=True)) | dict(zip("zxcvbnm", range(44, 51), strict=True))

#: The shipped USB pad: what the key with this sticker sends.
USB_NUMPAD: Mapping[str, Sequence[int]] = {
    **{str(digit): (KEY_CODES[f"KEY_KP{digit}"],) for digit in range(10)},
    "00": (KEY_CODES["KEY_KP0"], KEY_CODES["KEY_KP0"]),
    "DOT": (KEY_CODES["KEY_KPDOT"],),
    "ENTER": (KEY_CODES["KEY_KPENTER"],),
    "CLEAR": (KEY_CODES["KEY_KPMINUS"],),
    "CANCEL": (KEY_CODES["KEY_KPSLASH"],),
    "FN": (KEY_CODES["KEY_KPASTERISK"],),
    "NEXT": (KEY_CODES["KEY_KPPLUS"],),
    **{f"F{number}": (KEY_CODES[f"KEY_F{number}"],) for number in range(1, 5)},
}
_REPEAT_DELAY_S, _REPEAT_PERIOD_S = 0.250, 0.033  # the kernel's defaults
_DOUBLE_ZERO_GAP_S = 0.004


class SimKeypad:
    """A keypad; keys pressed while nobody reads are lost, and counted in `dropped_key_count`."""

    def __init__(self, path: Path, keymap: Mapping[str, Sequence[int]] = USB_NUMPAD) -> None:
        self.path = path
        self.dropped_key_count = 0
        self._keymap = keymap
        self._fd = -1
        self._stuck: dict[str, asyncio.Task[None]] = {}

    @property
    def is_plugged(self) -> bool:
        """Return whether the keypad is attached."""
        return self._fd >= 0

    async def start(self) -> None:
        """Plug in."""
        self.plug()

    def plug(self) -> None:
        """Attach: a new FIFO at `path`, with its writing end held open."""
        if self.is_plugged:
            return
        self.path.unlink(missing_ok=True)
        staged = self.path.with_name(f".{self.path.name}.new")
        staged.unlink(missing_ok=True)
        os.mkfifo(staged, 0o600)
        # A writer alone cannot open a FIFO: open both ends, then the writing one, and let the reading one go.
        both = os.open(staged, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._fd = os.open(staged, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.close(both)
        staged.replace(self.path)

    def unplug(self) -> None:
        """Pull the cable: the node goes, the reader sees end of file."""
        if not self.is_plugged:
            return
        for name in tuple(self._stuck):
            self.release(name)
        self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def close(self) -> None:
        """Take the keypad away for good; idempotent."""
        self.unplug()

    async def press(self, keys: Sequence[str], hold_ms: float = 0, gap_ms: float = 20) -> None:
        """Press logical keys one after the other.

        Args:
            keys: `0`…`9 00 DOT ENTER CLEAR CANCEL FN NEXT F1`…`F4`, or evdev names (`KEY_NUMLOCK`).
            hold_ms: How long each is held; above 250 ms the kernel's auto-repeat events come.
            gap_ms: Pause between keys; below 15 ms it looks like a scanner in keyboard mode.
        Raises:
            KeyError: This keypad has no such key.
        """
        for index, name in enumerate(keys):
            if index and gap_ms:
                await asyncio.sleep(gap_ms / 1000)
            for position, code in enumerate(self._codes(name)):
                if position:
                    await asyncio.sleep(_DOUBLE_ZERO_GAP_S)
                self._emit(code, _DOWN)
                await self._hold(code, hold_ms / 1000)
                self._emit(code, _UP)

    async def burst(self, text: str, *, gap_ms: float = 1) -> None:
        """Type `text` and ENTER as a scanner in keyboard mode does: top-row digits, a few ms apart.

        The events carry the times at which the scanner sent them and wait to be read, as the kernel keeps them for a
        reader that is late. A pause of this process between two of them would look like a pause of the scanner.
        """
        at_ns = time.time_ns()
        codes = [_LETTERS.get(one.lower()) or KEY_CODES[f"KEY_{_PUNCTUATION.get(one, one)}"] for one in text]
        for code in (*codes, KEY_CODES["KEY_ENTER"]):
            self._emit(code, _DOWN, at_ns)
            self._emit(code, _UP, at_ns)
            at_ns += int(gap_ms * 1e6)
        await asyncio.sleep(len(codes) * gap_ms / 1000)

    def stick(self, name: str) -> None:
        """Hold a key down for good: one press, then auto-repeat until `release`."""
        if name not in self._stuck:
            code = self._codes(name)[0]
            self._emit(code, _DOWN)
            self._stuck[name] = asyncio.get_running_loop().create_task(self._repeat(code), name=f"stuck-{name}")

    def release(self, name: str) -> None:
        """Let a stuck key go."""
        task = self._stuck.pop(name, None)
        if task is not None:
            task.cancel()
            self._emit(self._codes(name)[0], _UP)

    def overflow(self) -> None:
        """Say SYN_DROPPED: the kernel's buffer ran over, what follows up to SYN_REPORT is incomplete."""
        self._write(_event(_EV_SYN, 3, 0, time.time_ns()))

    def _codes(self, name: str) -> Sequence[int]:
        codes = self._keymap.get(name)
        return (KEY_CODES[name],) if codes is None else codes

    async def _hold(self, code: int, hold_s: float) -> None:
        if hold_s <= 0:
            return
        left_s = hold_s - _REPEAT_DELAY_S
        await asyncio.sleep(min(hold_s, _REPEAT_DELAY_S))
        while left_s > 0:
            self._emit(code, _REPEAT)
            await asyncio.sleep(min(left_s, _REPEAT_PERIOD_S))
            left_s -= _REPEAT_PERIOD_S

    async def _repeat(self, code: int) -> None:
        await asyncio.sleep(_REPEAT_DELAY_S)
        while True:
            self._emit(code, _REPEAT)
            await asyncio.sleep(_REPEAT_PERIOD_S)

    def _emit(self, code: int, value: int, at_ns: int = 0) -> None:
        at_ns = at_ns or time.time_ns()
        scan = b"" if value == _REPEAT else _event(_EV_MSC, _MSC_SCAN, 0x70000 + code, at_ns)
        if not self._write(scan + _event(_EV_KEY, code, value, at_ns) + _event(_EV_SYN, 0, 0, at_ns)):
            self.dropped_key_count += value == _DOWN

    def _write(self, data: bytes) -> bool:
        if not self.is_plugged:
            return False
        # EPIPE: nobody reads; EAGAIN: 64 KiB unread, a real node drops events then too.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            return os.write(self._fd, data) == len(data)
        return False


def _event(kind: int, code: int, value: int, at_ns: int) -> bytes:
    return _EVENT.pack(at_ns // 1_000_000_000, at_ns // 1000 % 1_000_000, kind, code, value)


_PUNCTUATION = {".": "DOT", "-": "MINUS"}
