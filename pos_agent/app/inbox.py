"""The one bounded inbox: devices, sync and spooler put, only the controller takes (design section 2)."""

import asyncio
import logging

from pos_agent.domain.events import Event, KeyPressed, ScanGarbled, ScanRead

log = logging.getLogger(__name__)

#: More keys or scans than this cannot come from a person: they are dropped and counted.
MAX_INPUTS = 128
#: Facts are in the journal before they come here; what does not fit is read from there again.
MAX_EVENTS = 2048


class Inbox:
    """A queue whose `put` never blocks: input is dropped early, facts only when something is badly wrong."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(MAX_EVENTS)
        self.dropped = 0

    @property
    def queue(self) -> "asyncio.Queue[Event]":
        """Return the queue, for the controller."""
        return self._queue

    def put(self, event: Event) -> None:
        """Put an event; the `EventSink` of every room."""
        is_input = isinstance(event, KeyPressed | ScanRead | ScanGarbled)
        if self._queue.qsize() >= (MAX_INPUTS if is_input else MAX_EVENTS):
            self.dropped += 1
            if self.dropped.bit_count() == 1:  # 1, 2, 4, 8 …: a flood does not flood the log too
                log.error("inbox full dropped=%d kind=%s", self.dropped, type(event).__name__)
            return
        self._queue.put_nowait(event)
