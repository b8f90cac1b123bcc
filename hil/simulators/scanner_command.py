"""Scanners that send plain text and understand a few commands: Honeywell, Datalogic, Newland, and any at a wrong speed.

What each maker's unit does is written here from its manual, apart from the table that the drivers read.
Sources: Honeywell serial trigger commands and REVINF; Datalogic host commands; Newland unified commands and EM engines.
"""

import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hil.simulators.port import SerialPort

#: What a unit understands → (what it does, what it answers).
Commands = Mapping[bytes, tuple[str, bytes]]
_SPEEDS: Final = {
    termios.B9600: 9600,
    termios.B19200: 19_200,
    termios.B38400: 38_400,
    termios.B57600: 57_600,
    termios.B115200: 115_200,
}

_NEWLAND_HEAD, _NEWLAND_TAIL = b"\x7e\x01" + b"0000", b";\x03"


def _newland(storage: bytes, command: bytes, did: str, answer: bytes = b"") -> tuple[bytes, tuple[str, bytes]]:
    asked = _NEWLAND_HEAD + storage + command + _NEWLAND_TAIL
    return asked, (did, b"\x02\x01" + b"0000" + storage + command + answer + b"\x06" + _NEWLAND_TAIL)


HONEYWELL: Final[Commands] = {
    b"\x16M\rREVINF.": ("identify", b"REVINFXenon 1900: DK000123AAA\x06."),
    b"\x16T\r": ("trigger_on", b""),
    b"\x16U\r": ("trigger_off", b""),
    b"\x16\x07\r": ("beep", b""),
}
DATALOGIC: Final[Commands] = {
    b"i": ("identify", b"Application ROM ID D012345\r"),
    b"E": ("trigger_on", b""),
    b"D": ("trigger_off", b""),
    b"B": ("beep", b""),
    b"\x01": ("beep", b""),
}
NEWLAND: Final[Commands] = dict(
    [
        _newland(b"#", b"QRYPDN", "identify", b"NLS-HR52"),
        _newland(b"#", b"SCNTRG1", "trigger_on"),
        _newland(b"#", b"SCNTRG0", "trigger_off"),
    ]
)
NEWLAND_EM: Final[Commands] = {b"?": ("identify", b"!")}
#: Zebra decoder and Grow module, as far as telling who they are goes; the whole of them is in modules of their own.
ZEBRA_SSI: Final[Commands] = {
    bytes.fromhex("04A30400FF55"): ("identify", bytes.fromhex("0CA4000050414141415330300000")),
    bytes.fromhex("04E40400FF14"): ("trigger_on", bytes.fromhex("04D00000FF2C")),
    bytes.fromhex("04E50400FF13"): ("trigger_off", bytes.fromhex("04D00000FF2C")),
    bytes.fromhex("05E6040013FEFE"): ("beep", bytes.fromhex("04D00000FF2C")),
}
GROW: Final[Commands] = {
    bytes.fromhex("7E000A010000 00301A"): ("identify", bytes.fromhex("03000001003331")),
    bytes.fromhex("7E000801000201ABCD"): ("trigger_on", bytes.fromhex("02000001003331")),
    bytes.fromhex("7E000801000200ABCD"): ("trigger_off", bytes.fromhex("02000001003331")),
}


class SimCommandScanner:
    """A scanner with CR suffix at one speed.

    Args:
        path: The symlink that the terminal opens.
        commands: What it understands.
        baud: Its speed; None = any, as a USB CDC unit.

    Attributes:
        did: What it was told to do, oldest first.
        garbled_byte_count: Bytes that came at another speed.
    """

    def __init__(self, path: Path, commands: Commands, *, baud: int | None = None) -> None:
        self.did: list[str] = []
        self.garbled_byte_count = 0
        self._commands = commands
        self._baud = baud
        self._buffer = b""
        self._port = SerialPort(path, on_data=self._receive)

    @property
    def port(self) -> SerialPort:
        """Return the port, to plug and to unplug."""
        return self._port

    async def scan(self, data: bytes) -> None:
        """Send a code; at a wrong speed of the terminal it arrives as rubbish."""
        sent = data + b"\r"
        await self._port.write(sent if self._is_understood() else bytes(byte * 7 & 0xFF | 0x80 for byte in sent))

    def _is_understood(self) -> bool:
        return self._baud is None or _SPEEDS.get(self._port.speed) == self._baud

    def _receive(self, data: bytes) -> None:
        if not self._is_understood():
            self.garbled_byte_count += len(data)
            return
        self._buffer = (self._buffer + data)[-64:]
        for asked, (did, answer) in self._commands.items():
            if self._buffer.endswith(asked):
                self._buffer = b""
                self.did.append(did)
                self._port.write_now(answer)
                return
