"""A barcode scanner on a serial port: `pos_agent.devices.interfaces.Scanner`.

What was read may be a payment code: it goes into the inbox and nowhere else, never into a log (D14, I7).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from drivers.scanner.framer import Frame, Garble, Garbled, ScanFramer
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import DeviceName, ScanGarbled, ScanRead
from pos_agent.errors import DeviceError

_log = logging.getLogger(__name__)
#: Noise comes in showers: the cashier hears of it once in this time, the counters of each.
_GARBLED_QUIET_S = 0.7


class SerialScanner:
    """Puts one `ScanRead` per code into the sink, `ScanGarbled` for noise.

    Counters: GoodScanCount, RereadScanCount (same code again within the window, dropped), CommunicationErrorCount
    (all garbled frames), and one per cause of `drivers.scanner.framer.Garble`, such as ScanGarbledOverflowCount.
    """

    def __init__(self, config: ScannerConfig, *, sink: EventSink, opener: Opener) -> None:
        self._config = config
        self._sink = sink
        self._framer = ScanFramer(ends_at_suffix=config.suffix != "idle", idle_gap_s=config.idle_gap_ms / 1000)
        self._link = FdLink(
            DeviceName.SCANNER, SerialPort(config.path, baud=config.baud), opener=opener, on_bytes=self._on_bytes
        )
        self._counters: Counter[str] = Counter(GoodScanCount=0)
        self._silence: asyncio.TimerHandle | None = None
        self._last_byte_at_s = 0.0
        self._last_label_hash: int | None = None
        self._last_label_at_s = 0.0
        self._garbled_at_s = float("-inf")

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.SCANNER

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics by UnifiedPOS name."""
        return self._counters

    async def open(self) -> None:
        """Open the port; what was scanned before is gone."""
        self._framer.reset()
        self._last_label_hash = None
        await self._link.open()

    async def close(self) -> None:
        """Close the port; half a frame is forgotten."""
        self._stop_timer()
        self._framer.reset()
        self._last_label_hash = None
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the port hung up."""
        return await self._link.wait_lost()

    def _on_bytes(self, data: bytes) -> None:
        self._last_byte_at_s = asyncio.get_running_loop().time()
        for item in self._framer.feed(data):
            self._put(item)
        if not self._framer.has_pending:
            self._stop_timer()
        elif self._silence is None:
            self._start_timer(self._framer.gap_s)

    def _start_timer(self, delay_s: float) -> None:
        self._silence = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _on_timer(self) -> None:
        """Decide about silence; bytes that wait in the kernel while the loop was late are no silence."""
        self._silence = None
        self._link.read_now()
        if not self._framer.has_pending or self._silence is not None:
            return
        left_s = self._last_byte_at_s + self._framer.gap_s - asyncio.get_running_loop().time()
        if left_s > 0:
            self._start_timer(left_s)
            return
        for item in self._framer.end_of_silence():
            self._put(item)

    def _put(self, item: Frame | Garbled) -> None:
        if isinstance(item, Frame):
            self._put_frame(item)
        else:
            self._put_garbled(item)

    def _put_frame(self, frame: Frame) -> None:
        now_s = asyncio.get_running_loop().time()
        # A keyed hash (Python's own), so that a payment code does not stay in memory for the sake of the window.
        label_hash = hash(frame.scan_data_label)
        is_reread = (
            label_hash == self._last_label_hash and now_s - self._last_label_at_s < self._config.reread_window_ms / 1000
        )
        self._last_label_hash = label_hash
        self._last_label_at_s = now_s
        if is_reread:
            self._counters["RereadScanCount"] += 1
            _log.debug("device=scanner reread length=%d", len(frame.scan_data_label))
            return
        self._counters["GoodScanCount"] += 1
        _log.debug(
            "device=scanner length=%d scan_data_type=%s encoding=%s",
            len(frame.scan_data_label),
            frame.scan_data_type or "-",
            frame.encoding,
        )
        self._sink(ScanRead(frame.scan_data_label, frame.scan_data_type, now_s))

    def _put_garbled(self, garbled: Garbled) -> None:
        counter = _counter_name(garbled.cause)
        self._counters["CommunicationErrorCount"] += 1
        self._counters[counter] += 1
        _log.debug("device=scanner garbled=%s length=%d", garbled.cause, garbled.length)
        now_s = asyncio.get_running_loop().time()
        if now_s - self._garbled_at_s >= _GARBLED_QUIET_S:
            self._garbled_at_s = now_s
            self._sink(ScanGarbled(counter, garbled.length))


def _counter_name(cause: Garble) -> str:
    return f"ScanGarbled{''.join(word.capitalize() for word in cause.split('_'))}Count"
