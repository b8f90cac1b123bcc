"""What the journal's storage needs besides commits: room, a look at its health, retention, a check of large files."""

import logging
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final

from pos_agent.domain.clock import Clock
from pos_agent.errors import JournalCorruptError, JournalError
from pos_agent.journal import _codec, _errors, _retention, _storage
from pos_agent.journal._reserve import LEAST_FREE_BYTES
from pos_agent.journal._retention import Sign
from pos_agent.journal._writer import Databases, Mode, Writer
from pos_agent.journal.records import Purged

_log = logging.getLogger(__name__)
#: Instructions of SQLite's machine between two looks whether somebody waits: well below a millisecond.
_STEPS_BETWEEN_LOOKS: Final = 4_000


class Upkeep:
    """Bounded pieces of work for idle moments; each runs on the journal's thread and makes way for commits."""

    def __init__(self, writer: Writer, folder: Path, clock: Clock) -> None:
        self._writer = writer
        self._folder = folder
        self._clock = clock
        self._after_seq = 0

    async def storage_code(self) -> str:
        """Look at the disk: make the reserve where there is room; return why no refund may begin, empty = it may.

        Returns:
            E-DISK1 full, E-DISK2 read-only, E-DISK other faults, E-JOURNAL damaged pages.
        """
        try:
            return await self._writer.run(self._look, Mode.NOTHING)
        except JournalError as error:
            return error.code

    def _look(self, databases: Databases) -> str:
        if databases.trouble == JournalCorruptError.code:
            _storage.mark_damaged(self._folder)
            return databases.trouble
        reserve = databases.reserve
        if reserve is None:
            return databases.trouble
        try:
            if reserve.is_read_only():
                return _errors.CODE_READ_ONLY
            if not reserve.make() or reserve.free_bytes() < LEAST_FREE_BYTES:
                return _errors.CODE_FULL
        except OSError as error:
            _log.error("journal disk does not answer error=%s", error)
            return JournalError.code
        if databases.trouble:
            _try_to_write(databases)
        return databases.trouble

    async def purge(self, *, before: datetime, sign: Sign | None = None) -> Purged:
        """Remove some of what is closed and older than `before`: requests, their rows, the audit lines before them.

        Nothing that is not final, not acknowledged, or not printed to its end is ever removed. Call again until
        ``is_done``, with pauses.

        Args:
            before: Times below this are old; the caller vouches for the clock.
            sign: Signs the new beginning of the chain with the device key, base64.
        Raises:
            JournalCorruptError: The audit lines that would go do not verify; nothing was removed.
        """
        at, after_seq = self._clock.now(), self._after_seq
        purged: Purged = await self._writer.run(
            lambda db: _retention.purge(db.journal, before=before, after_seq=after_seq, at=at, sign=sign), Mode.WRITE
        )
        self._after_seq = 0 if purged.is_done else purged.last_seq
        return purged

    async def give_back(self) -> int:
        """Give some free pages back to the file system; return how many are left to give."""
        return await self._writer.run(lambda db: _retention.give_back(db.journal), Mode.NOTHING)

    async def check_pages(self) -> bool:
        """Read every page if the last stop was not clean; return False if it made way for a commit: call it later.

        Raises:
            JournalCorruptError: Damage. The next start sets the journal aside; until then no refund may begin.
        """
        return await self._writer.run(self._check, Mode.NOTHING)

    def _check(self, databases: Databases) -> bool:
        if not databases.is_unchecked:
            return True
        journal = databases.journal
        journal.set_progress_handler(self._writer.has_work, _STEPS_BETWEEN_LOOKS)
        try:
            found = str(journal.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            if _errors.primary_code(error) == sqlite3.SQLITE_INTERRUPT:
                return False
            found = str(error)
        finally:
            journal.set_progress_handler(None, 0)
        databases.is_unchecked = False
        if found != "ok":
            databases.trouble = JournalCorruptError.code
            _storage.mark_damaged(self._folder)
            raise JournalCorruptError(f"quick_check: {found}")
        return True


def _try_to_write(databases: Databases) -> None:
    """Find out whether the disk takes writes again: the menu asks nobody to try with a refund."""
    journal = databases.journal
    try:
        journal.execute("BEGIN IMMEDIATE")
        _codec.set_meta(journal, "storage_tried", str(int(_codec.meta(journal, "storage_tried", "0")) + 1))
        journal.execute("COMMIT")
    except sqlite3.Error as error:
        databases.note(error)
        if journal.in_transaction:
            journal.execute("ROLLBACK")
    else:
        databases.note(None)
