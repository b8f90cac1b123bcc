"""SQLite's errors in our words; the only place that knows its result codes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pos_agent.errors import JournalCorruptError, JournalError, JournalFullError

#: What the screen says besides E-DISK, each with a sentence of its own (`pos_agent.i18n.words`).
CODE_FULL: Final = "E-DISK1"
CODE_READ_ONLY: Final = "E-DISK2"
CODE_VOLATILE: Final = "E-DISK3"
#: Primary result codes. Source: https://www.sqlite.org/rescode.html
_STORAGE_CODES: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
)
_CORRUPT_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code, 0 when the module raised without one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_storage_error(error: BaseException | None) -> bool:
    """Return True if the disk refused: full, read-only, failing."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in _STORAGE_CODES


def translated(error: sqlite3.Error) -> JournalError:
    """Return the journal's own error for one of SQLite's."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return JournalFullError(f"journal cannot be written: {error}", code=CODE_FULL)
    if code == sqlite3.SQLITE_READONLY:
        return JournalFullError(f"journal cannot be written: {error}", code=CODE_READ_ONLY)
    if code in _STORAGE_CODES:
        return JournalFullError(f"journal cannot be written: {error}")
    if code in _CORRUPT_CODES:
        return JournalCorruptError(f"journal is damaged: {error}")
    return JournalError(f"journal: {error}")


@contextmanager
def translating() -> Iterator[None]:
    """Raise SQLite's errors as the journal's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error
