"""A barcode scanner on a serial port: `pos_agent.devices.interfaces.Scanner`.

What was read may be a payment code: it goes into the inbox and nowhere else, never into a log (D14, I7).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from drivers.links.fd_link import FdLink
from drivers.links.node import Port
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from drivers.scanner.families import make_protocol
from drivers.scanner.framer import Frame, Garble, Garbled
from drivers.scanner.protocol import Counted, Item, Reply, ScanProtocol
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import DeviceName, ScanGarbled, ScanRead
from pos_agent.errors import DeviceError, OfflineError

_log = logging.getLogger(__name__)
#: Noise comes in showers: the cashier hears of it once in this time, the counters of each.
_GARBLED_QUIET_S = 0.7


class SerialScanner:
    """Puts one `ScanRead` per code into the sink, `ScanGarbled` for noise.

    Counters: GoodScanCount, RereadScanCount (same code again within the window, dropped), SuspectScanCount (read, but
    in neither UTF-8 nor GB18030, as with a wrong baud or parity), CommunicationErrorCount (all garbled frames), one per
    cause of `drivers.scanner.framer.Garble`, such as ScanGarbledOverflowCount, and those of the protocol.

    Args:
        config: Port, speed, protocol, re-read window.
        sink: Takes the events.
        opener: Opens and closes the port.
        port: Another port than the serial one that the configuration names, such as a camera's process.
        protocol: The protocol to speak there.
        beep: What makes this unit sound its error beep; empty = it is not told.
    Raises:
        ConfigValueError: The configuration names a protocol that does not exist.
    """

    def __init__(
        self,
        config: ScannerConfig,
        *,
        sink: EventSink,
        opener: Opener,
        port: Port | None = None,
        protocol: ScanProtocol | None = None,
        beep: bytes = b"",
    ) -> None:
        self._beep = beep
        self._config = config
        self._sink = sink
        self._protocol = protocol or make_protocol(config)
        port = port or SerialPort(config.path, baud=config.baud)
        self._link = FdLink(DeviceName.SCANNER, port, opener=opener, on_bytes=self._on_bytes)
        self._counters: Counter[str] = Counter(GoodScanCount=0)
        self._silence: asyncio.TimerHandle | None = None
        self._last_activity_s = 0.0
        self._silent: asyncio.Future[DeviceError] | None = None
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
        """Open the port and greet the scanner; what was scanned before is gone."""
        self._protocol.reset()
        self._last_label_hash = None
        await self._link.open()
        self._silent = asyncio.get_running_loop().create_future()
        self._put_all(self._protocol.start())
        self._watch_silence()

    async def close(self) -> None:
        """Close the port; half a frame is forgotten."""
        self._stop_timer()
        self._protocol.reset()
        self._last_label_hash = None
        if self._silent is not None:
            self._silent.cancel()
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the port hung up, or a scanner that used to answer is silent."""
        if self._silent is None:
            return await self._link.wait_lost()
        hang_up = asyncio.ensure_future(self._link.wait_lost())
        try:
            await asyncio.wait({hang_up, self._silent}, return_when=asyncio.FIRST_COMPLETED)
            return self._silent.result() if self._silent.done() and not hang_up.done() else await hang_up
        finally:
            hang_up.cancel()
            await asyncio.wait({hang_up})

    def beep(self) -> bool:
        """Sound the error beep of the configured family; see `pos_agent.devices.interfaces.Sounder`."""
        if not self._beep or not self._link.is_open or self._link.is_pending:
            return False
        self._link.write(self._beep)
        return True

    def _on_bytes(self, data: bytes) -> None:
        self._last_activity_s = asyncio.get_running_loop().time()
        self._put_all(self._protocol.feed(data))
        self._watch_silence()

    def _watch_silence(self) -> None:
        """Have a timer that is not later than the protocol needs; an early one looks again."""
        if not self._protocol.has_pending or not self._link.is_open:
            self._stop_timer()
            return
        due_s = self._last_activity_s + self._protocol.gap_s
        if self._silence is not None and self._silence.when() > due_s:
            self._stop_timer()
        if self._silence is None:
            self._silence = asyncio.get_running_loop().call_at(due_s, self._on_timer)

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _on_timer(self) -> None:
        """Decide about silence; bytes that wait in the kernel while the loop was late are no silence."""
        self._silence = None
        self._link.read_now()
        now_s = asyncio.get_running_loop().time()
        if self._protocol.has_pending and self._last_activity_s + self._protocol.gap_s <= now_s:
            self._put_all(self._protocol.end_of_silence())
            self._last_activity_s = now_s
        self._watch_silence()

    def _put_all(self, items: Sequence[Item]) -> None:
        for item in items:
            self._put(item)

    def _put(self, item: Item) -> None:
        match item:
            case Frame():
                self._put_frame(item)
            case Garbled():
                self._put_garbled(item)
            case Reply():
                self._last_activity_s = asyncio.get_running_loop().time()
                self._link.write(item.data)
            case Counted():
                self._counters[item.counter] += 1
            case _:
                if self._silent is not None and not self._silent.done():
                    self._silent.set_result(OfflineError(DeviceName.SCANNER, "no answer to three heartbeats"))

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
        self._counters["SuspectScanCount"] += frame.encoding == "latin-1"
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
