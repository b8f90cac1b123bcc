"""A printer link in memory: takes bytes by script, answers status, can be unplugged at any call."""

import asyncio
from collections import deque

from tests.fakes.printer_link import MemoryLink


class FakeLink(MemoryLink):
    """See `drivers.escpos.link.PrinterLink`."""

    def __init__(self) -> None:
        super().__init__()
        self.received = bytearray()
        #: What each next write accepts; "gone" = unplugged inside the transfer; empty = everything.
        self.writes: deque[int | str] = deque()
        self.port = 0x18
        #: Values that GET_PORT_STATUS gives first, one a call.
        self.ports: deque[int] = deque()
        self.inbox: deque[bytes] = deque()
        #: Answers to commands: command → reply.
        self.answers: dict[bytes, bytes] = {}
        #: Said by the printer as soon as it has got so many bytes.
        self.reply_when_received: tuple[int, bytes] | None = None
        self.port_polls = 0

    async def write(self, data: bytes) -> int:
        self._check()
        if data in self.answers:
            self.inbox.append(self.answers[data])
            return len(data)
        step = self.writes.popleft() if self.writes else len(data)
        if step == "gone":
            self.unplug()
            self._check()
        count = min(int(step), len(data))
        self.received += data[:count]
        if self.reply_when_received and len(self.received) >= self.reply_when_received[0]:
            self.inbox.append(self.reply_when_received[1])
            self.reply_when_received = None
        return count

    async def read(self, timeout_ms: int) -> bytes:
        self._check()
        await asyncio.sleep(0 if self.inbox else 0.001)
        return self.inbox.popleft() if self.inbox else b""

    async def port_status(self) -> int | None:
        self._check()
        await asyncio.sleep(0)
        self.port_polls += 1
        if self.ports:
            self.port = self.ports.popleft()
        return self.port
