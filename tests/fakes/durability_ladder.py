"""A printer in virtual time that fails at one byte: what it accepts, executes, answers, and leaves on paper."""

import asyncio
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from tests.fakes.printer_link import MemoryLink

#: GET_PORT_STATUS. Source: USB Device Class Definition for Printing Devices 1.1, section 4.2.2.
_READY, _PAPER_EMPTY, _NOT_SELECTED, _ERROR = 0x18, 0x38, 0x08, 0x10
#: ASB. Source: Epson ESC/POS Command Reference, "GS a".
_ASB = {_READY: b"\x10\0\0\0", _PAPER_EMPTY: b"\x18\0\x0c\0", _NOT_SELECTED: b"\x38\0\0\0", _ERROR: b"\x18\x08\0\0"}
_QUESTION = re.compile(rb"\x1d(?:\(H\x06\x0000(....)|r\x01|a\xff)", re.DOTALL)
_LONGEST = 11


class Fault(Enum):
    """What happens to the printer."""

    PAPER_END = "paper_end"
    COVER_OPEN = "cover_open"
    CUTTER_JAM = "cutter_jam"
    STALL = "stall"
    UNPLUGGED = "unplugged"
    POWER_LOSS = "power_loss"


_PORT = {Fault.PAPER_END: _PAPER_EMPTY, Fault.COVER_OPEN: _NOT_SELECTED, Fault.CUTTER_JAM: _ERROR}


class Where(Enum):
    """Whether the printer fails when it has taken so many bytes, or when it has printed so many of those it took."""

    TAKING = "taking"
    PRINTING = "printing"


class Point(NamedTuple):
    """One run of the suite."""

    fault: Fault
    where: Where
    offset: int

    def __str__(self) -> str:
        return f"{self.fault.value} while {self.where.value} byte {self.offset}"


class LadderPrinter(MemoryLink):
    """See `drivers.escpos.link.PrinterLink`; takes everything into a buffer and prints it at once, until it fails.

    Attributes:
        paper: Job bytes that are printed; questions are not paper.
        is_down: The fault is there, and nobody has mended it.
        trips: How often a fault came.
        answers: Questions that are answered: ``id``, ``paper``, ``asb``.
    """

    def __init__(self, answers: frozenset[str]) -> None:
        super().__init__()
        self.answers = answers
        self.paper = bytearray()
        self.is_down = False
        self.trips = 0
        self._buffer = bytearray()
        self._inbox = bytearray()
        self._point: Point | None = None
        self._left = 0
        self._port = _READY
        self._said = asyncio.Event()

    def arm(self, point: Point) -> None:
        """Fail at this point of the next job."""
        self.paper.clear()
        self._point, self._left = point, point.offset

    def mend(self) -> None:
        """Put paper in, close the cover, free the knife, plug it in, switch it on: it goes on with what it has."""
        if not self.is_down:
            return
        self._port, self.is_plugged, self.is_down = _READY, True, False
        self._say("asb", _ASB[_READY])
        self._execute()

    # -- the link

    async def port_status(self) -> int | None:
        self._check()
        return self._port

    async def read(self, timeout_ms: int) -> bytes:
        self._check()
        if not self._inbox:
            self._said.clear()
            waiting = asyncio.create_task(self._said.wait())
            await asyncio.wait({waiting}, timeout=timeout_ms / 1000)
            waiting.cancel()
        self._check()
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    async def write(self, data: bytes) -> int:
        await asyncio.sleep(0)
        self._check()
        if data == b"\x1da\xff":  # asked while nothing is printed; the job's own questions stand behind it
            self._say("asb", _ASB[self._port])
            return len(data)
        if self.is_down:
            await asyncio.sleep(0.25)  # NAK until the time-out
            self._check()
            return 0
        count = len(data)
        if self._point is not None and self._point.where is Where.TAKING:
            count = min(count, self._left)
            self._left -= count
        self._buffer += data[:count]
        self._execute()
        if self._point is not None and self._point.where is Where.TAKING and not self._left:
            self._trip()
        self._check()
        return count

    # -- the mechanics

    def _execute(self) -> None:
        while self._buffer and not self.is_down:
            question = _QUESTION.search(self._buffer)
            text = self._buffer[: question.start()] if question else self._buffer[: _whole(self._buffer)]
            if not text and not question:
                return  # half a question: it waits for its other half
            if self._point is not None and self._point.where is Where.PRINTING:
                if self._left <= len(text):
                    self.paper += text[: self._left]
                    del self._buffer[: self._left]
                    self._trip()
                    return
                self._left -= len(text)
            self.paper += text
            del self._buffer[: len(text)]
            if question:
                self._answer(bytes(self._buffer[: question.end() - question.start()]))
                del self._buffer[: question.end() - question.start()]

    def _answer(self, question: bytes) -> None:
        if question.startswith(b"\x1d("):
            self._say("id", b"\x37\x22" + question[-4:] + b"\0")
        else:
            self._say("paper", b"\0")

    def _say(self, what: str, data: bytes) -> None:
        if what in self.answers and self.is_plugged:
            self._inbox += data
            self._said.set()

    def _trip(self) -> None:
        assert self._point is not None
        fault, self._point = self._point.fault, None
        self.is_down = True
        self.trips += 1
        self._port = _PORT.get(fault, _READY)
        if fault in _PORT:
            self._say("asb", _ASB[self._port])
        elif fault is not Fault.STALL:
            self.unplug()
            self._inbox.clear()
            self._said.set()
            keep = 0 if fault is Fault.POWER_LOSS else _whole(self._buffer)
            del self._buffer[keep:]


def _whole(data: bytearray) -> int:
    """Return how many bytes stand before half a question at the end."""
    start = data.rfind(b"\x1d", -_LONGEST)
    if start < 0 or _QUESTION.search(data[start:]):
        return len(data)
    tail = bytes(data[start:])
    is_half = any(whole.startswith(tail[: len(whole)]) for whole in (b"\x1d(H\x06\x0000", b"\x1dr\x01"))
    return start if is_half else len(data)


def points(job_bytes: int, question_bytes: int) -> Iterator[Point]:
    """Yield each fault before each byte that is taken or printed, and behind the last one."""
    sizes = {Where.TAKING: job_bytes + question_bytes, Where.PRINTING: job_bytes}
    for fault in Fault:
        for where, size in sizes.items():
            for offset in range(size + 1):
                yield Point(fault, where, offset)
