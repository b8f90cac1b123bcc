"""Journals that were damaged and set aside: what is still readable of them, and their release by a person.

Nothing is recreated while one waits (I8): its unsent requests may exist nowhere else.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from pos_agent.journal import _storage


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged journal that waits.

    Attributes:
        file: Its name in the journal's folder.
        requests, unsent: What can still be counted; None = not even that.
    """

    file: str
    requests: int | None
    unsent: int | None


def waiting(folder: Path) -> list[Damaged]:
    """Return the damaged journals that nobody has dealt with."""
    return [
        Damaged(
            file=path.name,
            requests=_count(path, "SELECT COUNT(*) FROM refunds"),
            unsent=_count(path, "SELECT COUNT(*) FROM refunds WHERE is_stored = 0"),
        )
        for path in _storage.waiting_set_aside(folder)
    ]


def readable(folder: Path) -> list[Path]:
    """Return every journal of a folder that may hold unsent requests: those set aside, then the current one."""
    current = folder / _storage.JOURNAL_FILE
    return [*_storage.waiting_set_aside(folder), *([current] if current.exists() else [])]


def release(folder: Path, *, by: str, why: str) -> list[str]:
    """Allow a new journal; the damaged ones are kept. Who and why go into the new audit chain (I6).

    Returns:
        The names of what was released.
    Raises:
        JournalFullError: The disk keeps no note of it; nothing was released behind the one that failed.
    """
    try:
        return _storage.release_set_aside(folder, f"{by}: {why}")
    except OSError as error:
        raise _storage.refused("release", error) from error


def _count(path: Path, sql: str) -> int | None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute(sql).fetchone()[0])
    except sqlite3.Error:
        return None
