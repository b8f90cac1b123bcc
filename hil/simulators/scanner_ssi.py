"""A Zebra decoder that speaks the Simple Serial Interface: packets, checksums, answers, repetitions.

Written from the manual alone: it shares no line with the driver.
Source: Simple Serial Interface Programmer's Guide 72E-40451; SE-923 Integration Guide 70-37052-01 chapter 6.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from hil.simulators.port import SerialPort

_DECODE_DATA, _CMD_ACK, _CMD_NAK = 0xF3, 0xD0, 0xD1
_REQUEST_REVISION, _REPLY_REVISION = 0xA3, 0xA4
_SCAN_ENABLE, _SCAN_DISABLE, _START, _STOP, _BEEP, _PARAM_SEND = 0xE9, 0xEA, 0xE4, 0xE5, 0xE6, 0xC6
_RETRANSMIT, _CONTINUES = 0x01, 0x02
_NAK_RESEND, _NAK_BAD_CONTEXT = 1, 2
_MAX_DATA_BYTES = 251
#: A little less than the manual's 50 ms, as timers of two processes differ.
_WAKE_UP_S = 0.045


class SimSsiScanner:
    """A decoder on a pty.

    Args:
        path: The symlink that the terminal opens.
        timeout_s: How long it waits for an answer (manual: 2 s by default).
        resends: How often it sends again (manual: 2).

    Attributes:
        is_enabled: The host allows scanning; off at power-on here, so that a driver that forgets is caught.
        packets_sent: All sendings, repetitions too.
        ack_delays_s: How long each answer took.
        lost_count: Codes that nobody acknowledged in time.
        bad_packet_count: Packets of the host with a wrong checksum or length.
        spoil_next: So many sendings from now arrive with a flipped bit.
        deaf_next: So many answers from now are not heard.
        mute: Commands are not answered.
        is_asleep: Deaf until 50 ms after a null byte (GM67; WAKEUP of the manual).
        revision: What it says that it is.
    """

    def __init__(self, path: Path, *, timeout_s: float = 2.0, resends: int = 2) -> None:
        self.is_enabled = False
        self.packets_sent = 0
        self.ack_delays_s: list[float] = []
        self.lost_count = self.bad_packet_count = self.beep_count = 0
        self.spoil_next = self.deaf_next = 0
        self.mute = self.is_asleep = False
        self._woken_at_s = float("inf")
        self.revision = b"PAAAAS00-001-R00 0B"
        self.opcodes: list[int] = []
        self._port = SerialPort(path, on_data=self._receive)
        self._timeout_s = timeout_s
        self._resends = resends
        self._buffer = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._handlers: dict[int, Callable[[bytes], None]] = {
            _CMD_ACK: self._on_answer,
            _CMD_NAK: self._on_answer,
            _SCAN_ENABLE: lambda _: self._enable(is_enabled=True),
            _SCAN_DISABLE: lambda _: self._enable(is_enabled=False),
            _START: lambda _: self._send(_CMD_ACK),
            _STOP: lambda _: self._send(_CMD_ACK),
            _PARAM_SEND: lambda _: self._send(_CMD_ACK),
            _BEEP: self._on_beep,
            _REQUEST_REVISION: lambda _: self._send(_REPLY_REVISION, self.revision),
        }

    @property
    def port(self) -> SerialPort:
        """Return the port, to plug and to unplug."""
        return self._port

    async def scan(self, data: bytes, code_type: int = 0x03) -> bool:
        """Send a code in as many packets as it needs; returns whether all were acknowledged."""
        if not self.is_enabled:
            self.lost_count += 1
            return False
        message = bytes((code_type,)) + data
        parts = [message[at : at + _MAX_DATA_BYTES] for at in range(0, len(message), _MAX_DATA_BYTES)]
        for number, part in enumerate(parts, 1):
            status = _CONTINUES if number < len(parts) else 0
            if not await self._send_until_acknowledged(part, status):
                self.lost_count += 1
                return False
        return True

    async def send_raw(self, data: bytes) -> None:
        """Send noise."""
        await self._port.write(data)

    async def _send_until_acknowledged(self, data: bytes, status: int) -> bool:
        loop = asyncio.get_running_loop()
        for attempt in range(1 + self._resends):
            self._answer = loop.create_future()
            sent_at_s = loop.time()
            await self._port.write(self._spoilt(_packet(_DECODE_DATA, status | (_RETRANSMIT if attempt else 0), data)))
            self.packets_sent += 1
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._answer
            except TimeoutError:
                continue
            self.ack_delays_s.append(loop.time() - sent_at_s)
            if answer == _CMD_ACK:
                return True
        return False

    def _spoilt(self, packet: bytes) -> bytes:
        if not self.spoil_next:
            return packet
        self.spoil_next -= 1
        return packet[:5] + bytes((packet[5] ^ 0x10,)) + packet[6:]

    def _receive(self, data: bytes) -> None:
        if self.is_asleep and not self._wake_up(data):
            return
        self._buffer += data
        while self._buffer and len(self._buffer) >= self._buffer[0] + 2:
            if self._buffer[0] == 0:  # wake-up
                del self._buffer[0]
                continue
            packet = bytes(self._buffer[: self._buffer[0] + 2])
            del self._buffer[: len(packet)]
            self._on_packet(packet)

    def _wake_up(self, data: bytes) -> bool:
        """Return whether it hears `data`."""
        now_s = asyncio.get_running_loop().time()
        self.is_asleep = now_s - self._woken_at_s < _WAKE_UP_S
        if data == b"\x00":
            self._woken_at_s, self.is_asleep = now_s, True
        return not self.is_asleep

    def _on_packet(self, packet: bytes) -> None:
        total = sum(packet[:-2]) + int.from_bytes(packet[-2:], "big")
        if total & 0xFFFF or len(packet) < 6 or packet[2] != 4:
            self.bad_packet_count += 1
            self._send(_CMD_NAK, bytes((_NAK_RESEND,)))
            return
        self.opcodes.append(packet[1])
        handler = self._handlers.get(packet[1])
        if handler is None:
            self._send(_CMD_NAK, bytes((_NAK_BAD_CONTEXT,)))
        else:
            handler(packet)

    def _on_answer(self, packet: bytes) -> None:
        if self.deaf_next:
            self.deaf_next -= 1
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(packet[1])

    def _on_beep(self, _: bytes) -> None:
        self.beep_count += 1
        self._send(_CMD_ACK)

    def _enable(self, *, is_enabled: bool) -> None:
        if not self.mute:
            self.is_enabled = is_enabled
        self._send(_CMD_ACK)

    def _send(self, opcode: int, data: bytes = b"") -> None:
        if not self.mute:
            self._port.write_now(_packet(opcode, 0, data))


def _packet(opcode: int, status: int, data: bytes) -> bytes:
    body = bytes((4 + len(data), opcode, 0, status)) + data
    return body + ((0x10000 - sum(body)) % 0x10000).to_bytes(2, "big")
