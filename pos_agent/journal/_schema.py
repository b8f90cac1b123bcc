"""Tables, pragmas and migrations of the journal and of the draft."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pos_agent.errors import JournalCorruptError, JournalNewerError

#: Marks our files: "posJ".
APPLICATION_ID: Final = 0x706F734A
#: Another process (`pos-agent operator add`) may hold the write lock for one commit.
_BUSY_TIMEOUT_S: Final = 10.0

_JOURNAL_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refunds (
  seq INTEGER PRIMARY KEY,
  refund_request_id TEXT NOT NULL UNIQUE,
  reference TEXT NOT NULL,
  tail TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  request BLOB NOT NULL,
  state TEXT NOT NULL DEFAULT '',
  epoch INTEGER NOT NULL DEFAULT 0,
  state_seq INTEGER NOT NULL DEFAULT 0,
  latest BLOB,
  is_final INTEGER NOT NULL DEFAULT 0,
  was_send_attempted INTEGER NOT NULL DEFAULT 0,
  is_stored INTEGER NOT NULL DEFAULT 0,
  withdraw_requested INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX refunds_reference ON refunds (reference);
CREATE INDEX refunds_tail ON refunds (tail);
CREATE INDEX refunds_open ON refunds (seq) WHERE is_final = 0;
CREATE TABLE outbox (
  row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  refund_request_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  rev INTEGER NOT NULL,
  leaf TEXT NOT NULL,
  payload BLOB NOT NULL,
  status TEXT NOT NULL DEFAULT 'queued',
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  cause TEXT NOT NULL DEFAULT '',
  UNIQUE (refund_request_id, kind, rev)
);
CREATE INDEX outbox_open ON outbox (row_id) WHERE status IN ('queued', 'sent');
CREATE INDEX outbox_held ON outbox (row_id) WHERE status = 'held';
CREATE TABLE print_jobs (
  job_id INTEGER PRIMARY KEY AUTOINCREMENT,
  refund_request_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  seq INTEGER NOT NULL,
  copy_no INTEGER NOT NULL,
  is_result INTEGER NOT NULL,
  document BLOB NOT NULL,
  created_at TEXT NOT NULL,
  data BLOB,
  profile_id TEXT NOT NULL DEFAULT '',
  was_started INTEGER NOT NULL DEFAULT 0,
  outcome TEXT
);
CREATE UNIQUE INDEX print_jobs_once ON print_jobs (refund_request_id, kind, seq) WHERE refund_request_id <> '';
CREATE INDEX print_jobs_open ON print_jobs (is_result, job_id) WHERE outcome IS NULL;
CREATE TABLE audit (
  line INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  event TEXT NOT NULL,
  actor TEXT NOT NULL,
  data TEXT NOT NULL,
  head TEXT NOT NULL
);
CREATE TABLE operators (
  operator_no TEXT PRIMARY KEY,
  person_id TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  pin_hash TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  lock_left_s REAL NOT NULL DEFAULT 0,
  lock_boot_id TEXT NOT NULL DEFAULT '',
  lock_boottime_s REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE statistics (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
#: Counts of 100,000 open rows come from the index alone.
_JOURNAL_2 = """
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (row_id, status) WHERE status IN ('queued', 'sent');
"""
_DRAFT_1 = """
CREATE TABLE draft (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, content BLOB NOT NULL);
"""
#: Migration n brings user_version n to n + 1. A shipped one is never edited.
JOURNAL_MIGRATIONS: Final = (_JOURNAL_1, _JOURNAL_2)
DRAFT_MIGRATIONS: Final = (_DRAFT_1,)


def connect(path: Path) -> sqlite3.Connection:
    """Open a database with the pragmas of D6; belongs to the calling thread."""
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)
    try:
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # An older journal keeps its free pages and uses them again; a damaged one is not written to.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Bring the schema up to date, each step in one transaction.

    Raises:
        JournalCorruptError: The file is a database of somebody else.
        JournalNewerError: Written by a newer build; it is not touched.
    """
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id not in (0, APPLICATION_ID) or (version and application_id != APPLICATION_ID):
        raise JournalCorruptError("the file is not a journal of pos-agent")
    if version > len(migrations):
        raise JournalNewerError(f"journal has version {version}, this build knows {len(migrations)}")
    for number in range(version, len(migrations)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )


def check(connection: sqlite3.Connection) -> None:
    """Raise JournalCorruptError if SQLite finds damage."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalCorruptError(f"quick_check: {found}")
