"""What waits to be sent, read out of any journal: of older and newer builds, set aside, or damaged (trust.md 16).

Nothing is written and nothing migrated. Columns are found by their names; unknown ones do not count, and of missing
ones the most careful is assumed: a row without a status was never acknowledged. A request stands in two tables;
whichever of them can still be read gives it back.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from pos_agent.protocol.messages import MessageKind
from pos_agent.protocol.topics import Leaf

#: Rows of one statement; what it cannot read is read one by one.
_PAGE: Final = 200
#: So many rows in a row that cannot be read: there are none behind them.
_MOST_UNREADABLE: Final = 20_000
_OUTBOX: Final = ("refund_request_id", "kind", "rev", "leaf", "payload", "status")
_REFUNDS: Final = ("refund_request_id", "request", "is_stored")


class SavedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits, or with `every` one that was acknowledged too; fields as `pos_agent.journal.records`."""

    refund_request_id: str
    kind: str
    rev: int
    leaf: str
    payload: bytes
    status: str


class SavedRows:
    """Reads one journal file.

    Attributes:
        schema: Its `user_version`; None while unknown.
        unreadable: Rows that are there and cannot be read.
    """

    def __init__(self, path: Path, *, every: bool) -> None:
        """Args: path: of the file, its WAL beside it. every: also what the back office has acknowledged."""
        self._path = path
        self._every = every
        self._seen: set[tuple[str, str, int]] = set()
        self.schema: int | None = None
        self.unreadable = 0

    def __iter__(self) -> Iterator[SavedRow]:
        """Yield messages, oldest first; what only the other table has comes last.

        Raises:
            sqlite3.Error: Not even one table can be opened: no database, or damaged at its root.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(closing(_open(self._path, stack)))
            self.schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for values in self._table(connection, "outbox", _OUTBOX):
                yield from self._wanted(_outbox_row(values))
            for values in self._table(connection, "refunds", _REFUNDS):
                yield from self._wanted(_request_row(values))

    def _wanted(self, row: SavedRow | None) -> Iterator[SavedRow]:
        """Yield a row that is new and waits; count one that cannot be understood."""
        if row is None:
            self.unreadable += 1
            return
        key = (row.refund_request_id, row.kind, row.rev)
        if key not in self._seen and (self._every or row.status != "acked"):
            yield row
        self._seen.add(key)

    def _table(self, connection: sqlite3.Connection, table: str, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Yield the rows that can be read, by rowid."""
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        names = tuple(name for name in names if name in there)
        if not names:
            return
        select = f"SELECT rowid, {', '.join(names)} FROM {table} "  # noqa: S608 - names of our own
        after = 0
        while True:
            try:
                page = connection.execute(select + "WHERE rowid > ? ORDER BY rowid LIMIT ?", (after, _PAGE)).fetchall()
            except sqlite3.DatabaseError:
                yield from (dict(zip(names, row, strict=True)) for row in self._one_by_one(connection, select, after))
                return
            if not page:
                return
            for row in page:
                yield dict(zip(names, row[1:], strict=True))
            after = page[-1][0]

    def _one_by_one(self, connection: sqlite3.Connection, select: str, after: int) -> Iterator[tuple[Any, ...]]:
        missing = 0
        while missing < _MOST_UNREADABLE:
            after += 1
            try:
                row = connection.execute(select + "WHERE rowid = ?", (after,)).fetchone()
            except sqlite3.DatabaseError:
                self.unreadable += 1
                missing += 1
                continue
            missing = 0 if row is not None else missing + 1
            if row is not None:
                yield row[1:]


def _open(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open read-only; where the WAL cannot be read so, as on a card mounted read-only, a copy of both files."""
    if not path.is_file():
        raise sqlite3.OperationalError(f"{path}: no such file")
    with suppress(sqlite3.OperationalError):
        return _readable(f"{path.absolute().as_uri()}?mode=ro")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pos-agent-export-")))
    for ending in ("", "-wal"):
        source = path.with_name(path.name + ending)
        if source.exists():
            shutil.copyfile(source, folder / (path.name + ending))
    return sqlite3.connect(folder / path.name)


def _readable(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True)
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _outbox_row(values: dict[str, Any]) -> SavedRow | None:
    try:
        return SavedRow(
            refund_request_id=str(values["refund_request_id"]),
            kind=str(values["kind"]),
            rev=int(values.get("rev", 1)),
            leaf=str(values.get("leaf", Leaf.UP_REFUND.value)),
            payload=_bytes(values["payload"]),
            status=str(values.get("status", "queued")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _request_row(values: dict[str, Any]) -> SavedRow | None:
    """Return the message that the request's outbox row held: its request stands here as it was written."""
    try:
        request = _bytes(values["request"])
        terminal_id = msgspec.json.decode(request)["terminal_id"]
        kind = MessageKind.REFUND_REQUEST.value
        payload = msgspec.json.encode(
            {"type": kind, "terminal_id": terminal_id, "v": 1, "request": msgspec.Raw(request), "rev": 1}
        )
        return SavedRow(
            refund_request_id=str(values["refund_request_id"]),
            kind=kind,
            rev=1,
            leaf=Leaf.UP_REFUND.value,
            payload=payload,
            status="acked" if values.get("is_stored", 0) else "queued",
        )
    except (KeyError, TypeError, ValueError, msgspec.DecodeError):
        return None


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise TypeError(type(value).__name__)
