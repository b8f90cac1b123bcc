"""A serial barcode scanner: bytes on a pty, with the faults of real ones (split, joined and half frames, noise)."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from hil.simulators.port import PortUnpluggedError, SerialPort

__all__ = ["PortUnpluggedError", "SimScanner"]


class SimScanner:
    """A scanner with AIM identifiers and prefixes left to the caller: it sends exactly what it is told.

    Attributes:
        received: What the terminal wrote to the scanner (set-up commands), newest last, at most 64 KiB.
    """

    def __init__(self, path: Path, *, seed: int = 0) -> None:
        self.received = bytearray()
        self._port = SerialPort(path, on_data=self._receive)
        self._random = random.Random(seed)

    @property
    def port(self) -> SerialPort:
        """Return the port, to plug and to unplug."""
        return self._port

    @property
    def path(self) -> Path:
        """Return the symlink that the terminal opens."""
        return self._port.path

    @property
    def is_plugged(self) -> bool:
        """Return whether the cable is in."""
        return self._port.is_plugged

    @property
    def is_open(self) -> bool:
        """Return whether the terminal has the port open; what is sent otherwise is lost, and counted."""
        return self._port.is_open

    @property
    def dropped_byte_count(self) -> int:
        """Return how many bytes were sent while nobody had the port open."""
        return self._port.dropped_byte_count

    async def start(self) -> None:
        """Plug in."""
        self.plug()

    async def send(
        self, data: bytes, *, suffix: bytes = b"\r", chunks: Sequence[int] | None = None, gap_s: float = 0.02
    ) -> None:
        """Send one scan.

        Args:
            data: The code's bytes, with any prefix or AIM identifier.
            suffix: What the scanner is set to add; b"" for none (half frame).
            chunks: Sizes of the pieces that arrive apart; what is left over comes as the last piece.
            gap_s: Pause between pieces, in seconds.
        Raises:
            PortUnpluggedError: The cable is pulled.
        """
        frame = data + suffix
        position = 0
        for size in (*(chunks or ()), len(frame)):
            piece = frame[position : position + size]
            if not piece:
                continue
            if position:
                await asyncio.sleep(gap_s)
            await self._port.write(piece)
            position += len(piece)

    async def noise(self, data: bytes | int) -> None:
        """Send raw line noise: the given bytes, or that many seeded random ones without a terminator among them."""
        if isinstance(data, int):
            data = bytes(self._random.choice(_NOISE) for _ in range(data))
        await self._port.write(data)

    def unplug(self) -> None:
        """Pull the cable."""
        self._port.unplug()

    def plug(self) -> None:
        """Put the cable back: a new pty at the same symlink."""
        self._port.plug()

    def close(self) -> None:
        """Take the scanner away for good; idempotent."""
        self.unplug()

    def _receive(self, data: bytes) -> None:
        self.received += data
        del self.received[:-65536]


#: Bytes that no framing takes for an end: no NUL, ETX, LF, CR.
_NOISE = bytes(byte for byte in range(256) if byte not in (0x00, 0x03, 0x0A, 0x0D))
