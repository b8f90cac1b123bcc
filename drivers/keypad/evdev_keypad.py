"""A keypad on an event node (or on the bench's FIFO): `pos_agent.devices.interfaces.POSKeyboard`.

Keys are never logged: they may be digits of a PIN.
"""

import asyncio
import logging
from collections.abc import Mapping

from drivers.keypad.burst import GAP_S, BurstGuard
from drivers.keypad.decoder import EvdevDecoder, KeyDown
from drivers.keypad.keycodes import KEY_NUMLOCK
from drivers.keypad.keymap import Keymap
from drivers.links.evdev_port import EvdevPort
from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import KeypadConfig
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Key, KeyPressed
from pos_agent.errors import DeviceError

_log = logging.getLogger(__name__)
KEYBOARD_MODE = "keyboard_mode"


class EvdevKeypad:
    """Puts `KeyPressed` for keys of the key map; says `keyboard_mode` when a scanner types.

    Counters: KeyPressedCount; UnknownKeyCount (not in the key map); KeyboardModeBurstCount and
    KeyboardModeDroppedKeyCount; EventsDroppedCount (the kernel's buffer ran over).
    """

    def __init__(self, config: KeypadConfig, *, keymap: Keymap, sink: EventSink, opener: Opener) -> None:
        self._sink = sink
        self._keys: Mapping[int, Key] = keymap.keys_by_code()
        self._link = FdLink(DeviceName.KEYPAD, EvdevPort(config.path), opener=opener, on_bytes=self._on_bytes)
        self._decoder = EvdevDecoder()
        self._guard = BurstGuard()
        self._timer: asyncio.TimerHandle | None = None
        self._code = ""
        self._reported_burst_count = 0
        self._pressed_count = 0
        self._unknown_count = 0

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.KEYPAD

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics."""
        return {
            "KeyPressedCount": self._pressed_count,
            "UnknownKeyCount": self._unknown_count,
            "KeyboardModeBurstCount": self._guard.burst_count,
            "KeyboardModeDroppedKeyCount": self._guard.dropped_key_count,
            "EventsDroppedCount": self._decoder.dropped_count,
        }

    async def open(self) -> None:
        """Open and grab the node; keys pressed before are gone."""
        self._decoder.reset()
        self._guard.reset()
        self._code = ""
        await self._link.open()

    async def close(self) -> None:
        """Release the node."""
        self._stop_timer()
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the keypad was unplugged."""
        return await self._link.wait_lost()

    def _on_bytes(self, data: bytes) -> None:
        keys = [key for key in self._decoder.feed(data) if key.code != KEY_NUMLOCK]
        if not keys:
            return
        self._stop_timer()
        self._put(self._guard.feed(keys))
        if self._guard.has_held:
            self._timer = asyncio.get_running_loop().call_later(GAP_S, self._on_silence)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_silence(self) -> None:
        """End a run; keys that wait in the kernel while the loop was late belong to it."""
        self._timer = None
        self._link.read_now()
        if self._timer is None:
            self._put(self._guard.end_of_silence())

    def _put(self, keys: list[KeyDown]) -> None:
        self._say_mode(has_keys=bool(keys))
        now_s = asyncio.get_running_loop().time()
        for key in keys:
            logical = self._keys.get(key.code)
            if logical is None:
                self._unknown_count += 1
                continue
            self._pressed_count += 1
            self._sink(KeyPressed(logical, now_s))

    def _say_mode(self, *, has_keys: bool) -> None:
        """Report a burst once, and take the report back with the next key that a person presses."""
        if self._guard.burst_count != self._reported_burst_count:
            self._reported_burst_count = self._guard.burst_count
            self._report(KEYBOARD_MODE)
        elif has_keys and self._code:
            self._report("")

    def _report(self, code: str) -> None:
        if code and not self._code:
            _log.warning("device=keypad state=%s: a scanner types as a keyboard; set it to serial mode", code)
        self._code = code
        self._sink(DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code=code))
