"""The scanner of the bench: the unit that was chosen, serial in one of its protocols or a camera, at one name."""

import asyncio
import contextlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from hil.simulators.camera import SimCamera
from hil.simulators.port import SerialPort
from hil.simulators.scanner import PortUnpluggedError, SimScanner
from hil.simulators.scanner_ack_nak import SimAckNakScanner
from hil.simulators.scanner_grow import SimGrowScanner
from hil.simulators.scanner_ssi import SimSsiScanner
from pos_agent.domain.config import ScannerConfig

#: As ``devices.scanner.protocol`` names them, and the camera.
SCANNERS: Final = ("plain", "ack_nak", "ssi", "grow", "camera")
#: The till enables an SSI decoder when it opens the port; a bench may be asked to scan before.
_ENABLED_WAIT_S: Final = 3.0
#: Of a picture: a telephone's is larger than any camera's of a till.
_LARGEST: Final = (1280, 960)
_AIM_LENGTH: Final = 3
_EAN_13: Final = b"]E0"
_BARS: Final = b"]C"


class NoPictureError(ValueError):
    """What was put before the camera is no picture."""


class BenchScanner:
    """One unit at a time; what is sent goes out as that unit sends it.

    Args:
        folder: Holds the port ``scanner`` and the camera's folder ``camera``.
    """

    def __init__(self, folder: Path) -> None:
        self.kind = "plain"
        port = folder / "scanner"
        self._plain = SimScanner(port)
        self._by_packets: dict[str, SimAckNakScanner | SimSsiScanner | SimGrowScanner] = {
            "ack_nak": SimAckNakScanner(port),
            "ssi": SimSsiScanner(port),
            "grow": SimGrowScanner(port),
        }
        self._camera = SimCamera(folder / "camera")

    @property
    def config(self) -> ScannerConfig:
        """Return what a technician would write for this unit."""
        if self.kind == "camera":
            return ScannerConfig(driver="camera", path=str(self.path))
        return ScannerConfig(path=str(self.path), protocol=self.kind)

    @property
    def path(self) -> Path:
        """Return the port that the terminal opens, or the camera's folder."""
        return self._camera.path if self.kind == "camera" else self._plain.path

    @property
    def is_plugged(self) -> bool:
        """Return whether the cable is in."""
        return self._unit.is_plugged

    @property
    def is_open(self) -> bool:
        """Return whether the terminal has the port open; a camera cannot tell, and counts as open while it is there."""
        return self._camera.is_plugged if self.kind == "camera" else self._port.is_open

    @property
    def _port(self) -> SerialPort:
        packets = self._by_packets.get(self.kind)
        return self._plain.port if packets is None else packets.port

    @property
    def _unit(self) -> SerialPort | SimCamera:
        return self._camera if self.kind == "camera" else self._port

    def choose(self, kind: str) -> None:
        """Take another unit of `SCANNERS`; its cable is in if that of the last one was. No daemon may run."""
        was_plugged = self.is_plugged
        self.unplug()
        self.kind = kind
        if was_plugged:
            self.plug()

    async def start(self) -> None:
        """Plug in."""
        self.plug()

    def plug(self) -> None:
        """Put the cable in."""
        self._unit.plug()

    def unplug(self) -> None:
        """Pull the cable."""
        self._unit.unplug()

    def close(self) -> None:
        """Take the unit away for good; idempotent."""
        self.unplug()

    async def send(self, data: bytes, *, suffix: bytes = b"\r", chunks: Sequence[int] | None = None) -> None:
        """Send one scan; `suffix` and `chunks` are for a plain unit, the others have their own way.

        Args:
            data: The code, with an AIM identifier in front where wanted.
            suffix: Empty for half a code, which any unit can leave behind.
            chunks: Sizes of the pieces that arrive apart.
        Raises:
            PortUnpluggedError: The cable is pulled.
        """
        if not self.is_plugged:
            raise PortUnpluggedError(str(self.path))
        if self.kind == "camera":
            self._camera.show(*_drawn(data))
        elif self.kind == "plain":
            await self._plain.send(data, suffix=suffix, chunks=chunks)
        elif not suffix:
            await self._port.write(data)
        else:
            packets = self._by_packets[self.kind]
            await _until_enabled(packets)
            await packets.scan(data)

    async def noise(self, data: bytes | int) -> None:
        """Send line noise; a camera delivers a frame that is no picture."""
        if self.kind == "camera":
            self._camera.show_garbage()
        elif self.kind == "plain":
            await self._plain.noise(data)
        else:
            await self._port.write(data if isinstance(data, bytes) else bytes(data))

    def show_picture(self, data: bytes) -> None:
        """Hold a picture before the camera.

        Raises:
            NoPictureError: It is none.
        """
        try:
            picture = Image.open(BytesIO(data))
            picture.thumbnail(_LARGEST)
            self._camera.show_picture(picture.convert("L"))
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise NoPictureError(str(error)) from error


def _drawn(data: bytes) -> tuple[str, bytes]:
    """Return as which symbol a code is drawn, and what of it: by its AIM identifier, else as a QR code."""
    if data.startswith(_EAN_13):
        return "ean13", data[_AIM_LENGTH:]
    if data.startswith(_BARS):
        return "code128", data[_AIM_LENGTH:]
    return "qr", data[_AIM_LENGTH:] if data.startswith(b"]") else data


async def _until_enabled(unit: SimAckNakScanner | SimSsiScanner | SimGrowScanner) -> None:
    if not isinstance(unit, SimSsiScanner):
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENABLED_WAIT_S):
            while not unit.is_enabled:  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(0.02)
