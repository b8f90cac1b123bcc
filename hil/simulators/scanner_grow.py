"""A Grow GM65 module: text with a tail, command frames with CRC, zones, save, heartbeat.

Written from the manual's tables alone: it shares no line with the driver.
Source: GM65 and GM812 manuals, appendices A and B (frames, zone bits, published CRCs).
"""

import binascii
from pathlib import Path

from hil.simulators.port import SerialPort

_READ, _WRITE, _SAVE, _HEARTBEAT = 0x07, 0x08, 0x09, 0x0A
#: Bits 6-5 of zone 0060.
_TAILS = {0b00: b"\r", 0b01: b"\r\n", 0b10: b"\t", 0b11: b""}
_SKIP_CRC = b"\xab\xcd"
_TRIGGER, _TAIL, _BAUD = 0x0002, 0x0060, 0x002A


class SimGrowScanner:
    """A module on a pty.

    Attributes:
        zones: Settings now; `saved` those that survive the power.
        is_mute: It answers nothing (pulled off its pins).
        is_read_only: It says that it wrote and did not.
        heartbeat_count: Heartbeats that arrived.
        bad_frame_count: Frames with a wrong CRC.
        triggered_count: Scans that the host asked for.
    """

    def __init__(self, path: Path) -> None:
        self.zones: dict[int, int] = {0x0000: 0xD6, _TAIL: 0x00, _BAUD: 0x39, _BAUD + 1: 0x01}
        self.saved = dict(self.zones)
        self.is_mute = self.is_read_only = False
        self.heartbeat_count = self.bad_frame_count = self.triggered_count = 0
        self._port = SerialPort(path, on_data=self._receive)
        self._buffer = bytearray()

    @property
    def port(self) -> SerialPort:
        """Return the port, to plug and to unplug."""
        return self._port

    async def scan(self, data: bytes) -> bool:
        """Send a code with the tail that is set."""
        await self._port.write(data + _TAILS[self.zones[_TAIL] >> 5 & 0b11])
        return True

    async def fail(self) -> None:
        """Say that nothing was read, as a module set so does."""
        await self.scan(b"RF")

    async def send_raw(self, data: bytes) -> None:
        """Send noise."""
        await self._port.write(data)

    def power_cycle(self) -> None:
        """Lose what was not saved."""
        self.zones = dict(self.saved)

    def _receive(self, data: bytes) -> None:
        self._buffer += data
        while True:
            start = self._buffer.find(b"\x7e\x00")
            if start < 0:
                del self._buffer[:-1]
                return
            del self._buffer[:start]
            if len(self._buffer) < 4 or len(self._buffer) < 8 + self._buffer[3]:
                return
            frame = bytes(self._buffer[: 8 + self._buffer[3]])
            del self._buffer[: len(frame)]
            self._on_frame(frame)

    def _on_frame(self, frame: bytes) -> None:
        body, crc = frame[2:-2], frame[-2:]
        if crc not in (_SKIP_CRC, binascii.crc_hqx(body, 0).to_bytes(2, "big")):
            self.bad_frame_count += 1
            return
        kind, address, data = body[0], int.from_bytes(body[2:4], "big"), body[4:]
        if kind == _HEARTBEAT:
            self.heartbeat_count += 1
            self._reply(b"\x00", head=b"\x03\x00")
        elif kind == _READ:
            self._reply(bytes(self.zones.get(address + number, 0) for number in range(data[0])))
        elif kind == _WRITE:
            for number, byte in enumerate(b"" if self.is_read_only else data):
                self.zones[address + number] = byte
            self.triggered_count += address == _TRIGGER and data[0] & 1
            self._reply(b"\x00")
        elif kind == _SAVE:
            self.saved = dict(self.zones)
            self._reply(b"\x00")

    def _reply(self, data: bytes, *, head: bytes = b"\x02\x00") -> None:
        if self.is_mute:
            return
        body = bytes((0, len(data))) + data
        self._port.write_now(head + body + binascii.crc_hqx(body, 0).to_bytes(2, "big"))
