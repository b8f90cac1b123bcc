"""SQL of print jobs (D6, D12, D13)."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.journal import _codec
from pos_agent.journal.records import PrintJobRecord

_SELECT: Final = (
    "SELECT job_id, refund_request_id, kind, copy_no, document, created_at, data, profile_id, was_started, outcome"
    " FROM print_jobs "
)
_INTO: Final = "INTO print_jobs (refund_request_id, kind, seq, copy_no, is_result, document, created_at) VALUES "
_PLACES: Final = "(?,?,?,?,?,?,?)"
#: Slips that interrupt nobody: they wait until the workflow is at MENU or LOGIN.
_RESULT_KINDS: Final = frozenset({SlipKind.RESULT, SlipKind.REJECT})


def _job(values: Any) -> PrintJobRecord:
    return PrintJobRecord(
        job_id=values[0],
        refund_request_id=values[1],
        kind=SlipKind(values[2]),
        copy_no=values[3],
        document=_codec.decode(values[4], SlipDocument),
        created_at=_codec.time_value(values[5]),
        data=values[6],
        profile_id=values[7],
        was_started=bool(values[8]),
        outcome=None if values[9] is None else PrintOutcome(values[9]),
    )


def add_all(connection: sqlite3.Connection, slips: Sequence[SlipDocument], at: datetime | str) -> None:
    """Queue slips that belong to one fact; the same fact again queues none twice."""
    if not slips:
        return
    numbers: dict[SlipKind, int] = {}
    values: list[object] = []
    for document in slips:
        number = numbers.get(document.kind, 0)
        numbers[document.kind] = number + 1
        values += _values(document, number, at)
    rows = ", ".join([_PLACES] * len(slips))
    connection.execute("INSERT OR IGNORE " + _INTO + rows, values)


def add(connection: sqlite3.Connection, document: SlipDocument, at: datetime) -> int:
    """Queue one slip behind those that exist; return the job id."""
    row = connection.execute(
        "SELECT COALESCE(MAX(seq), -1) + 1 FROM print_jobs WHERE refund_request_id = ? AND kind = ?",
        (document.refund_request_id, str(document.kind)),
    ).fetchone()
    cursor = connection.execute("INSERT " + _INTO + _PLACES, _values(document, row[0], at))
    return int(cursor.lastrowid or 0)


def _values(document: SlipDocument, number: int, at: datetime | str) -> tuple[object, ...]:
    return (
        document.refund_request_id,
        str(document.kind),
        number,
        document.copy_no,
        document.kind in _RESULT_KINDS,
        _codec.encode(document),
        _codec.time_text(at),
    )


def next_open(connection: sqlite3.Connection, *, with_results: bool) -> PrintJobRecord | None:
    """Return the oldest unfinished job, request slips first."""
    values = connection.execute(
        _SELECT + "WHERE outcome IS NULL AND is_result <= ? ORDER BY is_result, job_id LIMIT 1", (with_results,)
    ).fetchone()
    return None if values is None else _job(values)


def count_open(connection: sqlite3.Connection) -> int:
    """Return how many jobs are not finished."""
    return int(connection.execute("SELECT COUNT(*) FROM print_jobs WHERE outcome IS NULL").fetchone()[0])


def rendered(connection: sqlite3.Connection, job_id: int, data: bytes, profile_id: str) -> None:
    """Keep the bytes."""
    connection.execute(
        "UPDATE print_jobs SET data = ?, profile_id = ? WHERE job_id = ? AND outcome IS NULL",
        (data, profile_id, job_id),
    )


def set_started(connection: sqlite3.Connection, job_id: int, *, is_started: bool) -> None:
    """Note that bytes may reach the printer from now on, or that none did."""
    connection.execute("UPDATE print_jobs SET was_started = ? WHERE job_id = ?", (is_started, job_id))


def end(
    connection: sqlite3.Connection, job_id: int, outcome: PrintOutcome, copy: SlipDocument | None, at: datetime
) -> None:
    """End a job once; its bytes are dropped, its document stays for copies."""
    changed = connection.execute(
        "UPDATE print_jobs SET outcome = ?, data = NULL WHERE job_id = ? AND outcome IS NULL", (str(outcome), job_id)
    ).rowcount
    if changed and copy is not None:
        add(connection, copy, at)


def end_interrupted(connection: sqlite3.Connection) -> int:
    """End jobs that were started before the daemon died as UNKNOWN; return how many (D13)."""
    return connection.execute(
        "UPDATE print_jobs SET outcome = 'unknown', data = NULL WHERE was_started = 1 AND outcome IS NULL"
    ).rowcount


def of_request(connection: sqlite3.Connection, refund_request_id: str) -> list[PrintJobRecord]:
    """Return all jobs of a request, oldest first."""
    rows = connection.execute(_SELECT + "WHERE refund_request_id = ? ORDER BY job_id", (refund_request_id,))
    return [_job(values) for values in rows]


def next_copy_no(connection: sqlite3.Connection, refund_request_id: str, kind: SlipKind) -> int:
    """Return the next free copy number."""
    row = connection.execute(
        "SELECT COALESCE(MAX(copy_no), 0) + 1 FROM print_jobs WHERE refund_request_id = ? AND kind = ?",
        (refund_request_id, str(kind)),
    ).fetchone()
    return int(row[0])
