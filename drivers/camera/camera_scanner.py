"""A camera in the role of the scanner: `pos_agent.devices.interfaces.Scanner`.

It is the serial scanner with another port (a process) and another protocol (its messages), so that re-read window,
counters, and what is never logged are the same code.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drivers.camera import wire
from drivers.camera.worker_port import WorkerPort
from drivers.links.opener import Opener
from drivers.scanner.framer import Garble, Garbled, parse_frame
from drivers.scanner.protocol import Item
from drivers.scanner.serial_scanner import SerialScanner
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import CameraConfig, ScannerConfig
from pos_agent.domain.events import DeviceName
from pos_agent.errors import (
    ClaimedError,
    ConfigValueError,
    DeviceError,
    DeviceTimeoutError,
    FailureError,
    NoHardwareError,
    OfflineError,
)

_log = logging.getLogger(__name__)
#: Python, a decoder and a camera on a cold card; the process gives itself up a little earlier.
_START_S: Final = 16.0
#: How long a decoder that crashed rests: at once, then longer and longer.
_RESTS_S: Final = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
#: A decoder that ran for so long is well again.
_WELL_AFTER_S: Final = 60.0


class CameraProtocol:
    """Messages of the process in, frames out; implements `drivers.scanner.protocol.ScanProtocol`. Pure.

    Attributes:
        on_news: Called when `started` or `failed` was set.
        started: The decoder's name, once it reads frames.
        failed: Why it ended, if it said so.
        counts: What it counted.
    """

    def __init__(self) -> None:
        self.on_news: Callable[[], None] = _nothing
        self.counts: Counter[str] = Counter()
        self.started = ""
        self.failed: wire.Failed | None = None
        self._reader = wire.Reader()

    @property
    def has_pending(self) -> bool:
        """Return False: silence means nothing here."""
        return False

    @property
    def gap_s(self) -> float:
        """Return a time that nobody waits for."""
        return 60.0

    def start(self) -> Sequence[Item]:
        """Send nothing."""
        return ()

    def feed(self, data: bytes) -> Sequence[Item]:
        """Take bytes of the process."""
        try:
            messages = self._reader.feed(data)
        except wire.BrokenMessageError:
            return (Garbled(Garble.NOISE, len(data)),)
        items: list[Item] = []
        for message in messages:
            match message:
                case wire.Seen(identifier, data):
                    items.append(parse_frame(identifier.encode() + data))
                case wire.Started(decoder):
                    self.started = decoder
                    self.on_news()
                case wire.Failed():
                    self.failed = message
                    self.on_news()
                case wire.Counts(by_name):
                    self.counts.update(by_name)
        return items

    def end_of_silence(self) -> Sequence[Item]:
        """Nothing is under way."""
        return ()

    def reset(self) -> None:
        """Forget the last process."""
        self._reader.reset()
        self.started, self.failed = "", None


class CameraScanner:
    """Puts one `ScanRead` into the sink for each code that is shown to the camera.

    Counters: those of `drivers.scanner.serial_scanner`, and FrameCount, FrameDecodedCount, FrameGarbledCount,
    SeveralInViewCount (several codes in a picture: the one nearest to the middle was taken), DecoderCrashCount.

    Args:
        config: Path and ``camera``.
        sink: Takes the events.
        opener: Starts and ends the process.
        port: The process; for tests.
    Raises:
        ConfigValueError: A decoder, symbology or size that there is not.
    """

    def __init__(
        self, config: ScannerConfig, *, sink: EventSink, opener: Opener, port: WorkerPort | None = None
    ) -> None:
        self._path = config.path
        self._port = port or WorkerPort(settings_of(config))
        self._protocol = CameraProtocol()
        self._scanner = SerialScanner(config, sink=sink, opener=opener, port=self._port, protocol=self._protocol)
        self._crashes_in_a_row = 0
        self._crash_count = 0
        self._opened_at_s = 0.0
        self._rests_until_s = float("-inf")

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.SCANNER

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics by name."""
        return {**self._scanner.counters, **self._protocol.counts, "DecoderCrashCount": self._crash_count}

    async def open(self) -> None:
        """Start the process and wait until it reads frames.

        Raises:
            NoHardwareError, ClaimedError, FailureError: As the system says; or the decoder rests after crashes.
            DeviceTimeoutError: It did not start in time.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s < self._rests_until_s:
            rest_s = self._rests_until_s - now_s
            raise FailureError(self.name, f"decoder crashed {self._crashes_in_a_row} times; rests for {rest_s:.0f} s")
        await self._scanner.open()
        self._opened_at_s = now_s
        try:
            await self._wait_started()
        except BaseException:
            await self._scanner.close()
            raise
        _log.info("device=scanner camera decoder=%s", self._protocol.started)

    async def close(self) -> None:
        """End the process."""
        await self._scanner.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the camera has gone (OfflineError), or the process has crashed (FailureError)."""
        error = await self._scanner.wait_lost()
        return await self._why(error)

    async def _wait_started(self) -> None:
        news = asyncio.Event()
        self._protocol.on_news = news.set
        if self._protocol.started or self._protocol.failed:
            news.set()
        waits = {asyncio.ensure_future(news.wait()), asyncio.ensure_future(self._scanner.wait_lost())}
        try:
            done, _ = await asyncio.wait(waits, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.wait(waits)
        if not done:
            raise DeviceTimeoutError(self.name, f"{self._path}: the camera gave no picture in time")
        if not self._protocol.started:
            error = await self._why(OfflineError(self.name, f"{self._path} hung up"))
            raise NoHardwareError(self.name, str(error)) if isinstance(error, OfflineError) else error

    async def _why(self, error: DeviceError) -> DeviceError:
        """Return what really happened to the process."""
        failed = self._protocol.failed
        if failed is not None and failed.cause != "memory":
            kind = _ERRORS.get(failed.cause, FailureError)
            return kind(self.name, f"{self._path}: {failed.text}")
        await self._port.wait_ended()
        crash = failed.text if failed is not None else self._port.crash()
        if not crash:
            return error
        self._note_crash()
        return FailureError(self.name, f"{self._path}: the decoder crashed: {crash}")

    def _note_crash(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._opened_at_s >= _WELL_AFTER_S:
            self._crashes_in_a_row = 0
        rest_s = _RESTS_S[min(self._crashes_in_a_row, len(_RESTS_S) - 1)]
        self._crashes_in_a_row += 1
        self._crash_count += 1
        self._rests_until_s = now_s + rest_s


_ERRORS: Final[dict[str, type[DeviceError]]] = {"gone": OfflineError, "claimed": ClaimedError}


def _nothing() -> None:
    """Take the place of a listener."""


def settings_of(config: ScannerConfig) -> wire.Settings:
    """Return what the process is told.

    Raises:
        ConfigValueError: A value that it cannot work with.
    """
    from drivers.camera.decoders import KINDS  # noqa: PLC0415 - names only; the libraries stay outside

    camera: CameraConfig = config.camera
    _check("decoder", camera.decoder in ("auto", "zxing", "pyzbar"), "one of auto, zxing, pyzbar")
    unknown = [kind for kind in camera.symbols if kind not in KINDS]
    _check("symbols", bool(camera.symbols) and not unknown, f"some of {', '.join(KINDS)}")
    _check("fps", 1 <= camera.fps <= 30, "from 1 to 30")
    _check("deadline_ms", 100 <= camera.deadline_ms <= 10_000, "from 100 to 10000")
    _check("memory_mb", 128 <= camera.memory_mb <= 4096, "from 128 to 4096")
    _check("width", 160 <= camera.width <= 1920 and 120 <= camera.height <= 1200, "160x120 to 1920x1200")
    return wire.Settings(
        path=config.path,
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        decoder=camera.decoder,
        symbols=camera.symbols,
        reread_s=config.reread_window_ms / 1000,
        deadline_s=camera.deadline_ms / 1000,
        memory_bytes=camera.memory_mb * 1024 * 1024,
    )


def _check(key: str, is_right: bool, hint: str) -> None:
    if not is_right:
        raise ConfigValueError("cannot be used", key=f"devices.scanner.camera.{key}", origin="config", hint=hint)
