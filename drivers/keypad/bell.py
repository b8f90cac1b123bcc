"""The bell of a keypad that has one. Few have.

Source: Linux Documentation/input/event-codes.rst (EV_SND: SND_BELL, SND_TONE in Hz, value 0 ends it); sysfs:
eventN/device/capabilities/snd is the bitmap.
"""

import struct
from pathlib import Path
from typing import Final

from drivers.keypad.nodes import SYSTEM
from drivers.links.evdev_port import EVENT_FORMAT

_EV_SYN, _EV_SND = 0x00, 0x12
_SND_BELL, _SND_TONE = 1, 2
_TONE_HZ: Final = 800
#: Long enough to be heard as an error, short enough not to hold up the next one.
BELL_S: Final = 0.12


class Bell:
    """What to write to one event node."""

    def __init__(self, node: str, *, system: Path = SYSTEM) -> None:
        self._sound = _sound_of(system / Path(node).resolve().name / "device" / "capabilities" / "snd")

    @property
    def on(self) -> bytes:
        """Return the events that start it; empty without a bell."""
        return self._events(_TONE_HZ if self._sound == _SND_TONE else 1)

    @property
    def off(self) -> bytes:
        """Return the events that end it."""
        return self._events(0)

    def _events(self, value: int) -> bytes:
        if not self._sound:
            return b""
        syn = struct.pack(EVENT_FORMAT, 0, 0, _EV_SYN, 0, 0)
        return struct.pack(EVENT_FORMAT, 0, 0, _EV_SND, self._sound, value) + syn


def _sound_of(bitmap: Path) -> int:
    try:
        bits = int(bitmap.read_text("ascii").split()[-1], 16)
    except (OSError, ValueError, IndexError):
        return 0
    return next((sound for sound in (_SND_TONE, _SND_BELL) if bits >> sound & 1), 0)
