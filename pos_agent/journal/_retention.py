"""What is old and closed leaves the journal: requests with all their rows, then the audit lines before them.

Nothing leaves that is not final, not acknowledged, or not printed to its end. Requests leave one by one, audit lines
only as a beginning of the chain: what remains starts at a base (line, head) which a later line of the same chain names,
so that it is anchored at the back office with the next request, and on paper with the next shift slip (trust.md 21).
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from pos_agent.errors import JournalCorruptError
from pos_agent.journal import _audit, _codec
from pos_agent.journal.records import Purged

EVENT: Final = "journal.purged"
#: Visited by one call: what a commit that waits behind it has to wait.
_VISITED_REQUESTS: Final = 100
_VISITED_LINES: Final = 400
#: Free pages given back to the file system by one call.
_PAGES: Final = 256

_OLD: Final = """SELECT seq, refund_request_id, created_at,
  is_final AND is_stored
  AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.refund_request_id = r.refund_request_id AND o.status <> 'acked')
  AND NOT EXISTS (SELECT 1 FROM print_jobs AS p WHERE p.refund_request_id = r.refund_request_id AND p.outcome IS NULL)
  FROM refunds AS r WHERE seq > ? ORDER BY seq LIMIT ?"""

Sign = Callable[[bytes], str]


def purge(
    connection: sqlite3.Connection, *, before: datetime, after_seq: int, at: datetime, sign: Sign | None
) -> Purged:
    """Remove some of what is older than `before`; see `Journal.purge`.

    Raises:
        JournalCorruptError: The audit lines that would go do not verify; nothing was removed.
    """
    limit = _codec.time_text(before)
    rows = connection.execute(_OLD, (after_seq, _VISITED_REQUESTS)).fetchall()
    young = next((number for number, row in enumerate(rows) if row[2] >= limit), len(rows))
    gone = [(row[0], row[1]) for row in rows[:young] if row[3]]
    for seq, refund_request_id in gone:
        _remove(connection, seq, refund_request_id)
    base = _cut(connection, limit)
    if gone or base is not None:
        _audit.append(connection, at, EVENT, "agent", _facts(connection, gone, base, sign))
    is_done = young < _VISITED_REQUESTS and (base is None or base[2] < _VISITED_LINES)
    return Purged(
        requests=len(gone),
        audit_lines=base[2] if base is not None else 0,
        last_seq=rows[young - 1][0] if young else after_seq,
        is_done=is_done,
    )


def _remove(connection: sqlite3.Connection, seq: int, refund_request_id: str) -> None:
    for table in ("outbox", "print_jobs"):
        connection.execute(f"DELETE FROM {table} WHERE refund_request_id = ?", (refund_request_id,))  # noqa: S608 - ours
    connection.execute("DELETE FROM refunds WHERE seq = ?", (seq,))


def _cut(connection: sqlite3.Connection, limit: str) -> tuple[int, str, int] | None:
    """Remove the first audit lines that are old and speak of no request that is left; return (line, head, lines)."""
    first, start = _audit.base(connection)
    last, mark = first, start
    rows = connection.execute(
        "SELECT line, at, event, actor, data, head FROM audit WHERE line > ? ORDER BY line LIMIT ?",
        (first, _VISITED_LINES),
    ).fetchall()
    for row in rows:
        if row[1] >= limit or _is_needed(connection, row[2], row[4]):
            break
        if row[0] != last + 1 or _audit.line_head(mark, row[:5]) != row[5]:
            raise JournalCorruptError(f"audit chain differs at line {last + 1}")
        last, mark = row[0], row[5]
    if last == first:
        return None
    connection.execute("DELETE FROM audit WHERE line <= ?", (last,))
    _audit.set_base(connection, last, mark)
    return last, mark, last - first


def _is_needed(connection: sqlite3.Connection, event: str, data: str) -> bool:
    """Return True for the line that binds a request which is still there."""
    if event != "refund.committed":
        return False
    key = msgspec.json.decode(data, type=dict[str, str])["refund_request_id"]
    return connection.execute("SELECT 1 FROM refunds WHERE refund_request_id = ?", (key,)).fetchone() is not None


def _facts(
    connection: sqlite3.Connection,
    gone: list[tuple[int, str]],
    base: tuple[int, str, int] | None,
    sign: Sign | None,
) -> dict[str, str]:
    line, mark = _audit.base(connection)
    facts = {"base_line": str(line), "base_head": mark, "seqs": _ranges([seq for seq, _ in gone])}
    if base is not None and sign is not None:
        facts["signature"] = sign(_audit.base_statement(_codec.meta(connection, "terminal_id"), line, mark))
    return facts


def _ranges(numbers: list[int]) -> str:
    """Return "1-3,7" for 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def give_back(connection: sqlite3.Connection) -> int:
    """Give free pages back to the file system, a bounded number; return how many are left to give."""
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 0:
        return 0
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
