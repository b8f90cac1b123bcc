"""A serial matrix keypad: `pos_agent.devices.interfaces.POSKeyboard`.

Such pads send one ASCII character for each key, at 9600 baud 8N1, some wrapped in STX … ETX; no repeat, no release
(devices.md section 5). The key map says what each character means. Keys are never logged: they may be digits of a PIN.
"""

import asyncio
from collections.abc import Mapping

from drivers.keypad.keymap import Keymap
from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import KeypadConfig
from pos_agent.domain.events import DeviceName, Key, KeyPressed
from pos_agent.errors import DeviceError

#: STX, ETX and line ends around a key say nothing of their own.
_FRAMING = frozenset(b"\x02\x03\r\n\0")
#: Unread input larger than this is no person: a scanner or a modem was plugged in here.
_MAX_KEYS_A_READ = 32


class MatrixKeypad:
    """Puts `KeyPressed` for characters of the key map.

    Counters: KeyPressedCount; UnknownKeyCount (characters that are no key, and whole floods).
    """

    def __init__(self, config: KeypadConfig, *, keymap: Keymap, sink: EventSink, opener: Opener) -> None:
        self._sink = sink
        self._keys: Mapping[int, Key] = keymap.keys_by_character()
        port = SerialPort(config.path, baud=config.baud)
        self._link = FdLink(DeviceName.KEYPAD, port, opener=opener, on_bytes=self._on_bytes)
        self._pressed_count = 0
        self._unknown_count = 0

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.KEYPAD

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics."""
        return {"KeyPressedCount": self._pressed_count, "UnknownKeyCount": self._unknown_count}

    async def open(self) -> None:
        """Open the port; keys pressed before are gone."""
        await self._link.open()

    async def close(self) -> None:
        """Release the port."""
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the keypad was unplugged."""
        return await self._link.wait_lost()

    def _on_bytes(self, data: bytes) -> None:
        characters = [byte for byte in data if byte not in _FRAMING]
        if len(characters) > _MAX_KEYS_A_READ:
            self._unknown_count += len(characters)
            return
        now_s = asyncio.get_running_loop().time()
        for character in characters:
            key = self._keys.get(character)
            if key is None:
                self._unknown_count += 1
                continue
            self._pressed_count += 1
            self._sink(KeyPressed(key, now_s))
