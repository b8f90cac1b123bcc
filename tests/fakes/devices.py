"""Devices in memory: real classes that keep the contracts of `pos_agent.devices.interfaces`; see tests/contract."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from pos_agent.devices.interfaces import EventSink, PrinterStatus, PrintReport
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Key, KeyPressed, ScanGarbled, ScanRead
from pos_agent.domain.screen import Screen, pad
from pos_agent.domain.slip import PrintOutcome, SlipDocument
from pos_agent.errors import DeviceError, NoHardwareError, OfflineError


class FakeDevice:
    """A device with a cable.

    Attributes:
        open_error: Raised by the next attempts to open, until set to None.
        open_count, close_count: Calls so far.
    """

    def __init__(self, name: DeviceName, *, is_plugged: bool = True) -> None:
        self.open_error: Exception | None = None
        self.open_count = 0
        self.close_count = 0
        self.is_open = False
        self._name = name
        self._counters: Counter[str] = Counter()
        self._lost: asyncio.Future[DeviceError] | None = None
        self._is_plugged = is_plugged

    @property
    def name(self) -> DeviceName:
        return self._name

    @property
    def counters(self) -> Mapping[str, int]:
        return self._counters

    async def open(self) -> None:
        self.open_count += 1
        if self.open_error is not None:
            raise self.open_error
        if not self._is_plugged:
            raise NoHardwareError(self._name, "not plugged in")
        self.is_open = True
        self._lost = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        self.close_count += 1
        self.is_open = False

    async def wait_lost(self) -> DeviceError:
        if self._lost is None:
            raise RuntimeError("not open")
        return await asyncio.shield(self._lost)

    def unplug(self) -> None:
        """Pull the cable."""
        self._is_plugged = False
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(OfflineError(self._name, "unplugged"))

    def plug(self) -> None:
        """Put it back."""
        self._is_plugged = True


class FakeScanner(FakeDevice):
    """A scanner that reads what the test says."""

    def __init__(self, sink: EventSink, *, is_plugged: bool = True) -> None:
        super().__init__(DeviceName.SCANNER, is_plugged=is_plugged)
        self._sink = sink
        self._counters["GoodScanCount"] = 0

    def scan(self, label: str, scan_data_type: str = "") -> None:
        """Read one code."""
        if self.is_open:
            self._counters["GoodScanCount"] += 1
            self._sink(ScanRead(label, scan_data_type, asyncio.get_running_loop().time()))

    def garble(self, cause: str = "ScanGarbledControlBytesCount", length: int = 7) -> None:
        """Read noise."""
        if self.is_open:
            self._counters["CommunicationErrorCount"] += 1
            self._sink(ScanGarbled(cause, length))


class FakeKeypad(FakeDevice):
    """A keypad on which the test presses keys."""

    def __init__(self, sink: EventSink, *, is_plugged: bool = True) -> None:
        super().__init__(DeviceName.KEYPAD, is_plugged=is_plugged)
        self._sink = sink

    def press(self, *keys: Key) -> None:
        """Press keys one after the other."""
        for key in keys:
            if self.is_open:
                self._counters["KeyPressedCount"] += 1
                self._sink(KeyPressed(key, asyncio.get_running_loop().time()))


class FakeDisplay(FakeDevice):
    """A display that remembers.

    Attributes:
        lines: What a person sees now; empty while closed or before the first screen.
        screens: Every screen that it was told to show, newest last.
        beep_count: Error beeps heard.
    """

    def __init__(
        self,
        name: DeviceName = DeviceName.OPERATOR_DISPLAY,
        *,
        columns: int = 40,
        rows: int = 12,
        is_plugged: bool = True,
    ) -> None:
        super().__init__(name, is_plugged=is_plugged)
        self.screens: list[Screen] = []
        self.beep_count = 0
        self._size = (columns, rows)

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    @property
    def lines(self) -> tuple[str, ...]:
        if not self.is_open or not self.screens:
            return ()
        columns, rows = self._size
        shown = [pad(line, columns) for line in self.screens[-1].lines[:rows]]
        return (*shown, *[" " * columns] * (rows - len(shown)))

    def show(self, screen: Screen) -> None:
        self.screens.append(screen)

    def beep(self) -> None:
        if self.is_open:
            self.beep_count += 1


class FakePrinter(FakeDevice):
    """A printer that keeps what it printed.

    Attributes:
        jobs: Bytes of whole jobs, in order.
        accepted: Every byte accepted, those of broken jobs too.
        paper_bytes: How many more bytes the roll takes; None = endless. `refill` puts a new roll in.
        lose_after_bytes: Pull the cable after that many bytes of a job; None = never.
        profile: `profile_id`; change it to see stored bytes rendered again.
    """

    def __init__(self, sink: EventSink, *, is_plugged: bool = True) -> None:
        super().__init__(DeviceName.PRINTER, is_plugged=is_plugged)
        self.jobs: list[bytes] = []
        self.accepted = bytearray()
        self.paper_bytes: int | None = None
        self.lose_after_bytes: int | None = None
        self.profile = "fake:utf-8"
        self.outcome = PrintOutcome.SENT_CLEAN
        self._sink = sink
        self._changed = asyncio.Event()

    @property
    def profile_id(self) -> str:
        return self.profile

    @property
    def status(self) -> PrinterStatus:
        is_empty = self.paper_bytes is not None and self.paper_bytes <= 0
        return PrinterStatus(
            is_online=self.is_open and not self._was_lost() and not is_empty,
            cover_open=False,
            rec_empty=is_empty,
            code="EPTR_REC_EMPTY" if is_empty else "",
        )

    def render(self, document: SlipDocument) -> bytes:
        return msgspec.json.encode(document)

    async def open(self) -> None:
        await super().open()
        self._notify()

    async def wait_ready(self) -> None:
        while not self.status.is_online:
            self._changed.clear()
            await self._changed.wait()

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        if not self.is_open or self._was_lost():
            raise OfflineError(self.name, "not open")
        pauses = 0
        for count, byte in enumerate(data):
            if self.status.rec_empty:
                pauses += 1
                await self._pause(on_paused)
            if count == self.lose_after_bytes:
                self.unplug()
            if self._was_lost():
                if count == 0:
                    raise OfflineError(self.name, "unplugged before the first byte")
                return PrintReport(outcome=PrintOutcome.UNKNOWN, accepted_bytes=count, was_interrupted=True)
            self.accepted.append(byte)
            if self.paper_bytes is not None:
                self.paper_bytes -= 1
        self.jobs.append(data)
        self._counters["ReceiptLinePrintedCount"] += data.count(b"\n")
        return PrintReport(outcome=self.outcome, accepted_bytes=len(data), was_interrupted=pauses > 0)

    async def _pause(self, on_paused: Callable[[str], None]) -> None:
        on_paused("EPTR_REC_EMPTY")
        self._sink(DeviceStatusChanged(self.name, is_online=True, code="EPTR_REC_EMPTY"))
        while self.status.rec_empty and not self._was_lost():
            self._changed.clear()
            await self._changed.wait()

    def _was_lost(self) -> bool:
        return self._lost is not None and self._lost.done()

    def unplug(self) -> None:
        super().unplug()
        self._changed.set()

    def refill(self, paper_bytes: int | None = None) -> None:
        """Put a new roll in."""
        self.paper_bytes = paper_bytes
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._sink(DeviceStatusChanged(self.name, is_online=self.is_open, code=self.status.code))
