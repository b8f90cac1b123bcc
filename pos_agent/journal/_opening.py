"""Opening a journal: storage, damage, migration, what a crash left behind. Runs on the writer thread."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from pos_agent.errors import JournalCorruptError
from pos_agent.journal import _audit, _codec, _errors, _jobs, _people, _schema, _storage
from pos_agent.journal._people import PoweredOnTime
from pos_agent.journal._reserve import Reserve
from pos_agent.journal._writer import Databases

_log = logging.getLogger(__name__)
#: A journal up to this size is read whole at each start; a larger one after a stop that was not clean, while the till
#: is idle: at 10 MB a second a gigabyte would keep the menu away for minutes.
_ALWAYS_CHECKED_BYTES: Final = 8 << 20


def opener(
    folder: Path, *, terminal_id: str, is_owner: bool, at: datetime, now: PoweredOnTime
) -> Callable[[], Databases]:
    """Return what the writer thread runs first."""

    def run() -> Databases:
        journal, is_unchecked = _open_journal(folder, at, is_owner=is_owner)
        try:
            with _errors.translating(), _values_refused():
                if is_owner:
                    _recover(journal, folder, terminal_id=terminal_id, at=at, now=now)
                reserve = Reserve(folder) if is_owner else None
                return Databases(journal, _open_draft(folder), reserve, is_unchecked)
        except BaseException:
            journal.close()
            raise

    return run


@contextmanager
def _values_refused() -> Iterator[None]:
    """Raise a rotten value of a sound page as damage: unnamed, it would end the thread and hang the start."""
    try:
        yield
    except ValueError as error:
        raise JournalCorruptError(f"journal holds a value that nobody wrote: {error}") from error


def _open_journal(folder: Path, at: datetime, *, is_owner: bool) -> tuple[sqlite3.Connection, bool]:
    """Return the connection, and whether its pages wait for a check."""
    _storage.refuse_after_set_aside(folder)
    path = folder / _storage.JOURNAL_FILE
    wal = folder / (_storage.JOURNAL_FILE + "-wal")
    is_marked = is_owner and _storage.take_damage_mark(folder)
    is_checked = path.exists() and (path.stat().st_size <= _ALWAYS_CHECKED_BYTES or is_marked)
    is_unchecked = is_owner and not is_checked and wal.exists() and wal.stat().st_size > 0
    try:
        return _connected(path, is_checked=is_checked), is_unchecked
    except JournalCorruptError as error:
        if not is_owner:  # the daemon may have it open
            raise
        target = _storage.set_aside(folder, at)
        raise JournalCorruptError(f"{error}; set aside as {target.name}") from error


def _connected(path: Path, *, is_checked: bool) -> sqlite3.Connection:
    with _errors.translating():
        connection = _schema.connect(path)
        try:
            if is_checked:
                _schema.check(connection)
            _schema.migrate(connection, _schema.JOURNAL_MIGRATIONS)
        except BaseException:
            connection.close()
            raise
    path.chmod(0o600)
    return connection


def _open_draft(folder: Path) -> sqlite3.Connection:
    """Open the draft's file; a damaged one is deleted: it holds nothing that was promised."""
    path = folder / _storage.DRAFT_FILE
    try:
        return _draft(path)
    except (sqlite3.DatabaseError, JournalCorruptError) as error:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(_errors.translated(error), JournalCorruptError):
            raise
        _log.warning("draft damaged and dropped error=%s", error)
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        return _draft(path)


def _draft(path: Path) -> sqlite3.Connection:
    connection = _schema.connect(path)
    try:
        _schema.migrate(connection, _schema.DRAFT_MIGRATIONS)
    except BaseException:
        connection.close()
        raise
    return connection


def _recover(journal: sqlite3.Connection, folder: Path, *, terminal_id: str, at: datetime, now: PoweredOnTime) -> None:
    """Settle what the last run left: started jobs, lock-outs of another boot, an unchecked stretch of the chain."""
    journal.execute("BEGIN IMMEDIATE")
    try:
        _claim(journal, terminal_id)
        interrupted = _jobs.end_interrupted(journal)
        if interrupted:
            _audit.append(journal, at, "print.interrupted", "agent", {"jobs": str(interrupted)})
        _people.rewrite_locks(journal, now)
        _check_chain(journal, at)
        released = _storage.untold_releases(folder)
        for name, note in released:
            _audit.append(journal, at, "journal.released", "technician", {"file": name, "note": note})
        journal.execute("COMMIT")
        for name, _ in released:
            _storage.mark_told(folder, name)
    except BaseException:
        if journal.in_transaction:
            journal.execute("ROLLBACK")
        raise


def _claim(journal: sqlite3.Connection, terminal_id: str) -> None:
    owner = _codec.meta(journal, "terminal_id")
    if not owner:
        _codec.set_meta(journal, "terminal_id", terminal_id)
    elif owner != terminal_id:
        raise JournalCorruptError(f"the journal is of terminal_id={owner}, not {terminal_id}")


def _check_chain(journal: sqlite3.Connection, at: datetime) -> None:
    """Check the chain since the last start. A break is told and written down, the requests stay usable."""
    try:
        lines, mark = _audit.verify_since_checkpoint(journal)
    except JournalCorruptError as error:
        _log.error("audit chain broken error=%s", error)
        _audit.append(journal, at, "audit.broken", "agent", {"detail": str(error)})
        lines, mark = _audit.head(journal)
    _audit.set_checkpoint(journal, lines, mark)
