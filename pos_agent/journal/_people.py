"""SQL of operators, their failures and lock-outs in powered-on time (D22, field.md 15), and of the draft."""

import logging
import sqlite3
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from pos_agent.errors import JournalCorruptError, JournalError
from pos_agent.journal import _codec, _refunds
from pos_agent.journal.records import Draft, OperatorRecord

_log = logging.getLogger(__name__)
#: The fifth failure locks (D22).
_FAILURES_TO_LOCK: Final = 5
_LOCK_S: Final = 15 * 60.0
#: What remains of a lock-out is written again when this old, so that a plug pulled out does not start it anew.
_REWRITE_S: Final = 30.0
_SELECT: Final = (
    "SELECT operator_no, person_id, name, role, pin_hash, failures, lock_left_s, lock_boot_id, lock_boottime_s"
    " FROM operators "
)


@dataclass(frozen=True, slots=True)
class PoweredOnTime:
    """Seconds since a boot; another boot_id starts again."""

    boot_id: str
    boottime_s: float

    def left_s(self, values: Any) -> float:
        """Return what remains of the lock-out of a row."""
        left, boot_id, at = values[6], values[7], values[8]
        if boot_id == self.boot_id:
            left -= max(0.0, self.boottime_s - at)
        return float(max(0.0, left))


def _record(values: Any, left_s: float) -> OperatorRecord:
    return OperatorRecord(
        operator_no=values[0],
        person_id=values[1],
        name=values[2],
        role=values[3],
        pin_hash=values[4],
        failures=values[5],
        locked_s=ceil(left_s),
    )


def _values(connection: sqlite3.Connection, operator_no: str) -> Any:
    return connection.execute(_SELECT + "WHERE operator_no = ?", (operator_no,)).fetchone()


def find(connection: sqlite3.Connection, operator_no: str, now: PoweredOnTime) -> OperatorRecord | None:
    """Return one operator."""
    values = _values(connection, operator_no)
    return None if values is None else _record(values, now.left_s(values))


def needs_rewrite(connection: sqlite3.Connection, operator_no: str, now: PoweredOnTime) -> bool:
    """Return True if a running lock-out was written too long ago."""
    values = _values(connection, operator_no)
    if values is None or not values[6]:
        return False
    return bool(values[7] != now.boot_id or now.boottime_s - values[8] > _REWRITE_S)


def all_operators(connection: sqlite3.Connection, now: PoweredOnTime) -> list[OperatorRecord]:
    """Return all operators by number."""
    return [_record(row, now.left_s(row)) for row in connection.execute(_SELECT + "ORDER BY operator_no")]


def put(
    connection: sqlite3.Connection, *, operator_no: str, person_id: str, name: str, role: str, pin_hash: str
) -> None:
    """Add or replace; a new PIN ends a lock-out."""
    connection.execute(
        "INSERT INTO operators (operator_no, person_id, name, role, pin_hash) VALUES (?,?,?,?,?)"
        " ON CONFLICT (operator_no) DO UPDATE SET person_id = excluded.person_id, name = excluded.name,"
        " role = excluded.role, pin_hash = excluded.pin_hash, failures = 0, lock_left_s = 0",
        (operator_no, person_id, name, role, pin_hash),
    )


def _write_lock(
    connection: sqlite3.Connection, operator_no: str, failures: int, left_s: float, now: PoweredOnTime
) -> None:
    connection.execute(
        "UPDATE operators SET failures = ?, lock_left_s = ?, lock_boot_id = ?, lock_boottime_s = ?"
        " WHERE operator_no = ?",
        (failures, left_s, now.boot_id, now.boottime_s, operator_no),
    )


def fail(connection: sqlite3.Connection, operator_no: str, now: PoweredOnTime) -> OperatorRecord:
    """Count a failure; the fifth locks. While locked nothing is counted."""
    values = _values(connection, operator_no)
    if values is None:
        raise JournalError("no such operator")
    failures, left_s = values[5], now.left_s(values)
    if not left_s:
        failures = 1 if failures >= _FAILURES_TO_LOCK else failures + 1
        left_s = _LOCK_S if failures >= _FAILURES_TO_LOCK else 0.0
    _write_lock(connection, operator_no, failures, left_s, now)
    return _record(_values(connection, operator_no), left_s)


def succeed(connection: sqlite3.Connection, operator_no: str) -> None:
    """Forget the failures and the lock that the attempt itself set."""
    connection.execute("UPDATE operators SET failures = 0, lock_left_s = 0 WHERE operator_no = ?", (operator_no,))


def rewrite_locks(connection: sqlite3.Connection, now: PoweredOnTime) -> None:
    """Write what remains of running lock-outs, on a new boot and now and then."""
    for values in connection.execute(_SELECT + "WHERE lock_left_s > 0").fetchall():
        _write_lock(connection, values[0], values[5], now.left_s(values), now)


def save_draft(journal: sqlite3.Connection, draft_file: sqlite3.Connection, draft: Draft) -> None:
    """Keep the one draft, bound to the generation that the next commit ends."""
    draft_file.execute(
        "INSERT OR REPLACE INTO draft (id, generation, content) VALUES (1, ?, ?)",
        (_refunds.draft_generation(journal), _codec.encode(draft)),
    )


def load_draft(journal: sqlite3.Connection, draft_file: sqlite3.Connection) -> Draft | None:
    """Return the draft unless a refund was committed since, or another build wrote it: it holds no promise."""
    row = draft_file.execute("SELECT generation, content FROM draft").fetchone()
    if row is None or row[0] != _refunds.draft_generation(journal):
        return None
    try:
        return _codec.decode(row[1], Draft)
    except JournalCorruptError as error:
        _log.warning("draft dropped error=%s", error)
        return None


def delete_draft(journal: sqlite3.Connection, draft_file: sqlite3.Connection) -> bool:
    """Delete the draft; return whether there was one that could still be resumed."""
    was_valid = load_draft(journal, draft_file) is not None
    draft_file.execute("DELETE FROM draft")
    return was_valid
