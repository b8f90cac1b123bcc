"""The camera's own process: `python -m drivers.camera.worker SETTINGS`, one socket as descriptor 0.

libzbar has crashed and hung on pictures that anybody can hold in front of a till (pyzbar #83). Here it may: every frame
has a deadline, after which the kernel ends the process (SIGALRM, which no library can swallow in C), its memory is
limited, and nothing that it holds is written anywhere: no core, no traceback, no picture.
"""

import contextlib
import errno
import os
import resource
import select
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from drivers.camera import wire
from drivers.camera.decoders import Decoder, NoDecoderError, make_decoder
from drivers.camera.frames import GreyFrame, UnknownPixelFormatError, has_changed, samples
from drivers.camera.sources import Source, make_source
from drivers.camera.vote import Vote, nearest

SOCKET_FD: Final = 0
#: Importing decoders and starting a stream on a cold card.
_START_DEADLINE_S: Final = 15.0
#: The rate when nothing moves, as a part of the full one; the full one again for this long after a change.
_IDLE_PART: Final = 0.2
_ALERT_S: Final = 3.0
#: Counters travel at most this often.
_COUNTS_S: Final = 5.0
_GONE: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EIO, errno.ENOTDIR})


class Eye:
    """Looks: takes pictures at a bounded rate and tells what was scanned.

    Args:
        settings: Rate, windows and deadline.
        source: Open.
        decoder: Ready.
        tell: Sends a message.
        pause: Waits for so many seconds; returns False when it is time to end.
    """

    def __init__(
        self,
        settings: wire.Settings,
        *,
        source: Source,
        decoder: Decoder,
        tell: Callable[[wire.Message], None],
        pause: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._source = source
        self._decoder = decoder
        self._tell = tell
        self._pause = pause
        self._vote = Vote(reread_s=settings.reread_s)
        self._counts: Counter[str] = Counter()
        self._counts_at_s = time.monotonic()
        self._samples = b""
        self._alert_until_s = 0.0

    def run(self) -> None:
        """Look until `pause` says that it is time to end.

        Raises:
            OSError: The camera has gone.
        """
        while True:
            started_s = time.monotonic()
            with _deadline(self._settings.deadline_s):
                self._look(started_s)
            self._tell_counts(started_s)
            is_alert = time.monotonic() < self._alert_until_s
            period_s = 1 / self._settings.fps / (1 if is_alert else _IDLE_PART)
            if not self._pause(max(0.0, started_s + period_s - time.monotonic())):
                return

    def _look(self, now_s: float) -> None:
        try:
            frame = self._source.take()
        except UnknownPixelFormatError:
            self._counts["FrameGarbledCount"] += 1
            return
        if frame is None:
            self._samples = b""
            return
        self._counts["FrameCount"] += 1
        if self._is_news(frame, now_s):
            self._decode(frame)
        else:
            self._vote.nothing_new(now_s)

    def _is_news(self, frame: GreyFrame, now_s: float) -> bool:
        """Return whether a picture is worth decoding: something has moved lately."""
        now = samples(frame)
        if has_changed(self._samples, now):
            self._samples = now
            self._alert_until_s = now_s + _ALERT_S
        return now_s < self._alert_until_s

    def _decode(self, frame: GreyFrame) -> None:
        self._counts["FrameDecodedCount"] += 1
        symbols = [symbol for symbol in self._decoder.decode(frame) if symbol.data]
        if len(symbols) > 1:
            self._counts["SeveralInViewCount"] += 1
        symbol = nearest(symbols, (frame.width / 2, frame.height / 2))
        if symbol is not None and self._vote.counts(symbol, time.monotonic()):
            self._tell(wire.Seen(symbol.identifier, symbol.data))

    def _tell_counts(self, now_s: float) -> None:
        """Send the counters, but not while nothing is decoded: an idle till is not to be woken."""
        if self._counts["FrameDecodedCount"] and now_s - self._counts_at_s >= _COUNTS_S:
            self._tell(wire.Counts(dict(self._counts)))
            self._counts.clear()
            self._counts_at_s = now_s


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """End the process if the block takes longer."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def serve(
    settings: wire.Settings,
    channel: socket.socket,
    *,
    open_source: Callable[[wire.Settings], Source],
    open_decoder: Callable[[wire.Settings], Decoder],
) -> None:
    """Look until the other end of the socket closes; tells why if it cannot."""

    def tell(message: wire.Message) -> None:
        channel.sendall(wire.encode(message))

    def pause(seconds: float) -> bool:
        readable, _, _ = select.select([channel], [], [], seconds)
        return not readable  # nothing is ever sent to us: readable is closed

    try:
        with _deadline(_START_DEADLINE_S):
            decoder = open_decoder(settings)
            source = open_source(settings)
        tell(wire.Started(decoder.name))
        with contextlib.closing(source):
            Eye(settings, source=source, decoder=decoder, tell=tell, pause=pause).run()
    except (BrokenPipeError, ConnectionResetError):
        return  # the daemon has gone
    except (OSError, ImportError, MemoryError, ValueError) as error:
        with contextlib.suppress(OSError):
            tell(_failed(error))


def _failed(error: Exception) -> wire.Failed:
    """Say what went wrong; never the text of an error that could quote a picture."""
    match error:
        case NoDecoderError():
            return wire.Failed("no_decoder", f"install pos-agent[camera] or pos-agent[zxing] ({error})")
        case ImportError():
            return wire.Failed("no_decoder", f"install pos-agent[camera] ({error})")
        case MemoryError():
            return wire.Failed("memory", "a frame needed more memory than camera.memory_mb")
        case OSError(errno=number) if number in _GONE:
            return wire.Failed("gone", os.strerror(number or 0))
        case OSError(errno=errno.EBUSY):
            return wire.Failed("claimed", "another process holds the camera")
        case OSError(errno=errno.EACCES | errno.EPERM):
            return wire.Failed("forbidden", "is the service in the group video?")
        case OSError(errno=number) if number:
            return wire.Failed("failure", os.strerror(number))
    return wire.Failed("failure", type(error).__name__)


def confine(memory_bytes: int) -> None:
    """Limit the memory and forbid cores: a core would hold the picture."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_source(settings: wire.Settings) -> Source:
    source = make_source(settings.path, width=settings.width, height=settings.height, fps=settings.fps)
    source.open()
    return source


def main() -> int:
    """Run with the settings of the command line."""
    settings = msgspec.json.decode(sys.argv[1], type=wire.Settings)
    confine(settings.memory_bytes)
    with socket.socket(fileno=SOCKET_FD) as channel:
        serve(
            settings,
            channel,
            open_source=_open_source,
            open_decoder=lambda settings: make_decoder(settings.decoder, settings.symbols),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
