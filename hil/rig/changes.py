"""What changed on the bench, numbered: long polls wait for a number, event streams get every change."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

#: A stream that is read too slowly loses its oldest changes: the page asks for the whole state anyway.
_STREAM_LIMIT = 256


class Change(msgspec.Struct, frozen=True):
    """One change. `kind` is screen, slip, power, fault or status."""

    seq: int
    kind: str
    data: dict[str, Any]


class Changes:
    """Counts changes and wakes those who wait."""

    def __init__(self) -> None:
        self.seq = 0
        self.screen_seq = 0
        self.slip_seq = 0
        self._streams: set[asyncio.Queue[Change]] = set()
        self._wake = asyncio.Event()

    def add(self, kind: str, **data: Any) -> int:
        """Record a change, wake all who wait, and return its number."""
        self.seq += 1
        if kind in ("screen", "power"):
            self.screen_seq = self.seq
        elif kind == "slip":
            self.slip_seq = self.seq
        change = Change(self.seq, kind, data)
        for stream in self._streams:
            if stream.full():
                stream.get_nowait()
            stream.put_nowait(change)
        self._wake.set()
        self._wake = asyncio.Event()
        return self.seq

    async def wait_screen(self, since: int, timeout_s: float) -> None:
        """Return when a screen has changed after number `since`, or the time is over."""
        await self._wait(lambda: self.screen_seq > since, timeout_s)

    async def wait_slip(self, since: int, timeout_s: float) -> None:
        """Return when a slip has come out after number `since`, or the time is over."""
        await self._wait(lambda: self.slip_seq > since, timeout_s)

    async def _wait(self, is_met: Callable[[], bool], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not is_met():
                    await self._wake.wait()
        except TimeoutError:
            return

    def subscribe(self) -> "asyncio.Queue[Change]":
        """Return a queue that gets every change from now on."""
        stream: asyncio.Queue[Change] = asyncio.Queue(_STREAM_LIMIT)
        self._streams.add(stream)
        return stream

    def unsubscribe(self, stream: "asyncio.Queue[Change]") -> None:
        """Forget a queue."""
        self._streams.discard(stream)

    @property
    def has_listeners(self) -> bool:
        """Return whether anybody streams changes now."""
        return bool(self._streams)
