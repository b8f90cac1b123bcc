"""A serial 4×4 matrix keypad on a pty: one ASCII character a key, if asked between STX and ETX; no repeat, no release.

Source: devices.md section 5; the legend of the usual 4×4 membrane pads (1 2 3 A, 4 5 6 B, 7 8 9 C, * 0 # D).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hil.simulators.port import SerialPort

#: What the key with this sticker sends on the shipped key map's 4×4 pad.
MATRIX_4X4: Mapping[str, str] = {
    **{str(digit): str(digit) for digit in range(10)},
    "CANCEL": "A", "CLEAR": "B", "FN": "C", "NEXT": "D", "DOT": "*", "ENTER": "#",
}  # fmt: skip


class SimMatrixKeypad:
    """A keypad behind a USB-serial adapter; keys pressed while nobody reads are lost."""

    def __init__(self, path: Path, *, is_framed: bool = False) -> None:
        self._port = SerialPort(path, on_data=lambda _: None)
        self._is_framed = is_framed

    @property
    def path(self) -> Path:
        """Return the symlink that the terminal opens."""
        return self._port.path

    def plug(self) -> None:
        """Attach."""
        self._port.plug()

    def unplug(self) -> None:
        """Pull the cable."""
        self._port.unplug()

    async def press(self, keys: Sequence[str]) -> None:
        """Press keys by their stickers, one after the other.

        Raises:
            KeyError: This pad has no such key.
        """
        for name in keys:
            await self.send(MATRIX_4X4[name].encode())

    async def send(self, data: bytes) -> None:
        """Send characters that no key has, too."""
        await self._port.write(b"\x02" + data + b"\x03" if self._is_framed else data)
