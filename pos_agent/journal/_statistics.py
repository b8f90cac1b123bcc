"""SQL of the statistics by UnifiedPOS name."""

import sqlite3
from collections.abc import Mapping


def add(connection: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    """Add to the counts."""
    connection.executemany(
        "INSERT INTO statistics (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        list(counts.items()),
    )


def all_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return all counts by name."""
    return dict(connection.execute("SELECT name, value FROM statistics ORDER BY name").fetchall())
