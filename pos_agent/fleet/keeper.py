"""Holds the record of configurations in a running till; a change is true once it is durable."""

import logging

from pos_agent.domain.clock import Clock
from pos_agent.domain.desired_book import Attempt, Book
from pos_agent.fleet.ports import TillPort

_log = logging.getLogger(__name__)


class Keeper:
    """The record, and how it reaches the disk.

    Attributes:
        book: As it stands. Running time of a trial is put here at once and saved now and then.
        saved_s: When it was saved last, monotonic.
        latest: The document that came last, if it is not the newest of the record.
        is_news: It has changed in a way that must be reported; who reports clears it.
    """

    def __init__(self, book: Book, till: TillPort, clock: Clock) -> None:
        self.book = book
        self.saved_s = clock.monotonic_s()
        self.latest: Attempt | None = None
        self.is_news = True
        self._till = till
        self._clock = clock
        self._is_disk_bad = False

    async def commit(self, book: Book) -> bool:
        """Make a change durable, then true; return False if the disk refuses: the old record stands."""
        try:
            await self._till.save(book)
        except OSError as error:
            if not self._is_disk_bad:
                _log.error("configuration record not saved error=%s", error)
            self._is_disk_bad = True
            return False
        self._is_disk_bad = False
        self.saved_s = self._clock.monotonic_s()
        if book.seq != self.book.seq:
            self.latest, self.is_news = None, True
        self.book = book
        return True
