"""Values as they stand in the tables: times as sortable text, structures as JSON, the small `meta` table."""

import sqlite3
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from pos_agent.errors import JournalCorruptError

_T = TypeVar("_T")


def time_text(at: datetime | str) -> str:
    """Return a time as text that sorts like the time; what is such a text already, unchanged."""
    if isinstance(at, str):
        return at
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_value(text: str) -> datetime:
    """Read a time written by `time_text`."""
    return datetime.fromisoformat(text)


def encode(value: Any) -> bytes:
    """Return JSON."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[_T]) -> _T:
    """Read JSON that this journal wrote.

    Raises:
        JournalCorruptError: It is not what was written.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalCorruptError(f"row of {kind.__name__}: {error}") from error


def meta(connection: sqlite3.Connection, key: str, default: str = "") -> str:
    """Return a value of the meta table."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return default if row is None else str(row[0])


def set_two(connection: sqlite3.Connection, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Set two values of the meta table in one statement."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?), (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (*first, *second),
    )


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Set a value of the meta table."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
