"""A serial scanner set to ACK/NAK: it waits for an answer, sends again after NAK, throws away after a time-out.

Source: Zebra plain-mode host options; Honeywell ACK/NAK mode (2 s, 0 retries by default).
"""

import asyncio
from pathlib import Path

from hil.simulators.port import SerialPort

_ACK, _NAK = 0x06, 0x15


class SimAckNakScanner:
    """Sends codes with CR.

    Args:
        path: The symlink that the terminal opens.
        timeout_s: How long it waits for an answer.
        retries: How often it sends again after NAK.

    Attributes:
        answers: What the terminal answered, oldest first.
        discarded_count: Codes that were thrown away for want of an ACK.
        spoil_next: So many sendings from now arrive with a control byte in them.
    """

    def __init__(self, path: Path, *, timeout_s: float = 2.0, retries: int = 2) -> None:
        self.answers = bytearray()
        self.discarded_count = 0
        self.spoil_next = 0
        self._port = SerialPort(path, on_data=self._receive)
        self._timeout_s = timeout_s
        self._retries = retries
        self._answered = asyncio.Event()

    @property
    def port(self) -> SerialPort:
        """Return the port, to plug and to unplug."""
        return self._port

    async def scan(self, data: bytes) -> bool:
        """Send a code; returns whether the terminal acknowledged it."""
        for _ in range(1 + self._retries):
            self._answered.clear()
            await self._port.write(self._spoilt(data) + b"\r")
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._answered.wait()
            except TimeoutError:
                break
            if self.answers[-1] == _ACK:
                return True
        self.discarded_count += 1
        return False

    def _spoilt(self, data: bytes) -> bytes:
        if not self.spoil_next:
            return data
        self.spoil_next -= 1
        return data[:3] + b"\x01" + data[4:]

    def _receive(self, data: bytes) -> None:
        self.answers += bytes(byte for byte in data if byte in (_ACK, _NAK))
        if self.answers:
            self._answered.set()
