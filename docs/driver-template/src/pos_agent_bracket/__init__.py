"""A driver for scanners that send each code in angle brackets: `<6901234567892>`.

It leans on `drivers.links`: the port is opened in the opener's thread under a deadline, read by the event loop, and a
hang-up is reported once. What is scanned may be a payment code: it goes into the sink and nowhere else, never into a
log or an exception.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

from drivers.links.fd_link import FdLink
from drivers.links.serial_port import SerialPort
from drivers.plugins import DriverRequest
from pos_agent.devices.interfaces import Scanner
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import DeviceName, ScanGarbled, ScanRead
from pos_agent.errors import ConfigValueError, DeviceError

#: Longer is noise.
_MAX_BYTES = 4096


class BracketScanner:
    """Puts one `ScanRead` per code into the sink, `ScanGarbled` for what is none."""

    def __init__(self, request: DriverRequest, *, path: str, baud: int) -> None:
        self._sink = request.sink
        self._buffer = bytearray()
        self._counters: Counter[str] = Counter(GoodScanCount=0)
        port = SerialPort(path, baud=baud)
        self._link = FdLink(DeviceName.SCANNER, port, opener=request.opener, on_bytes=self._on_bytes)

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.SCANNER

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics by UnifiedPOS name."""
        return self._counters

    async def open(self) -> None:
        """Open the port; half a code from before is forgotten."""
        self._buffer.clear()
        await self._link.open()

    async def close(self) -> None:
        """Close the port; may be called twice."""
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the port hung up."""
        return await self._link.wait_lost()

    def _on_bytes(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b">")) >= 0:
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._put(frame)
        if len(self._buffer) > _MAX_BYTES:
            self._put_garbled(len(self._buffer))
            self._buffer.clear()

    def _put(self, frame: bytes) -> None:
        start = frame.rfind(b"<")
        label = frame[start + 1 :].decode("utf-8", "replace")
        if start < 0 or not label or "\ufffd" in label:
            self._put_garbled(len(frame))
            return
        self._counters["GoodScanCount"] += 1
        self._sink(ScanRead(label, "", asyncio.get_running_loop().time()))

    def _put_garbled(self, length: int) -> None:
        self._counters["CommunicationErrorCount"] += 1
        self._sink(ScanGarbled("CommunicationErrorCount", length))


def build(request: DriverRequest) -> Scanner:
    """Build the scanner; opens nothing.

    Raises:
        ConfigValueError: The configuration cannot be used; the till shows it and starts in its SAFE state.
    """
    config = request.config
    if not isinstance(config, ScannerConfig):
        raise ConfigValueError(
            "is a scanner", key=f"devices.{request.role}.driver", origin="config", hint="use it in [devices.scanner]"
        )
    baud = config.options.get("baud", str(config.baud))
    if not baud.isdigit():
        raise ConfigValueError(
            f"{baud!r} is no speed", key="devices.scanner.options.baud", origin="config", hint='such as "9600"'
        )
    return BracketScanner(request, path=config.path, baud=int(baud))
