"""The database: transactions that lock, threads that run them, migrations."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
#: Longest wait for SQLite's write lock before a transaction fails, in milliseconds.
_BUSY_TIMEOUT_MS = 10_000
#: Page cache of a connection. SQLite's 2 MB hold no day of a shop.
_CACHE_KIB = 32_768
#: WAL pages before they are folded back, 16 MiB: a fold writes each page once and flushes the database file.
_CHECKPOINT_PAGES = 4_000
#: deadlock_detected and serialization_failure: nothing was changed, and a repeat may succeed. Source: PostgreSQL 15,
#: appendix A and section 13.3.4.
_REPEATABLE = frozenset({"40P01", "40001"})
_TRIES = 5
MIGRATIONS = Path(__file__).parent.parent / "migrations"
#: Revision of the newest file of `MIGRATIONS`.
TABLES_VERSION = "0009"


class Database:
    """Engine, thread pool and the two kinds of transaction.

    Writing transactions take the lock before they read (D9): ``BEGIN IMMEDIATE`` on SQLite; on PostgreSQL the row
    locks of ``backoffice.ledger.lock_sale``.
    """

    def __init__(self, url: str, *, pool: int = 4) -> None:
        """Open nothing yet.

        Args:
            url: SQLAlchemy URL.
            pool: Threads, and connections kept.
        """
        options: dict[str, Any] = {"json_serializer": _json_text, "json_deserializer": msgspec.json.decode}
        self.engine = create_engine(_driver(url), pool_size=pool + 1, max_overflow=2, **options)
        readers = self.engine
        self._threads = ThreadPoolExecutor(pool, thread_name_prefix="database")
        #: SQLite has one writer. Waiting here wakes at once; its own busy handler sleeps up to 100 ms at a time, and
        #: ingest, outbox and executor would wait for each other's sleep.
        self._turn: AbstractContextManager[Any] = nullcontext()
        if self.engine.dialect.name == "sqlite":
            self._turn = threading.Lock()
            # One connection writes, so that its page cache stays good: whoever else had written would empty it.
            readers = self.engine
            self.engine = create_engine(url, pool_size=1, max_overflow=0, **options)
            _prepare_sqlite(readers)
            _prepare_sqlite(self.engine)
        self._reader = readers.execution_options(is_reading=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session whose transaction commits at the end, or leaves nothing."""
        with self._turn, Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one snapshot and takes no write lock."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    async def run(self, work: Callable[..., _T], *args: Any) -> _T:
        """Run blocking work on a database thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def write(self, work: Callable[[Session], _T]) -> _T:
        """Run `work` in a writing transaction on a database thread; returns after the commit.

        A transaction that the database gave up for another one is run again, so `work` keeps nothing outside of it.
        """

        def in_transaction() -> _T:
            with self.writing() as session:
                return work(session)

        return await self.run(_repeating, in_transaction)

    async def read(self, work: Callable[[Session], _T]) -> _T:
        """Run `work` in a reading transaction on a database thread."""

        def in_transaction() -> _T:
            with self.reading() as session:
                return work(session)

        return await self.run(in_transaction)

    def close(self) -> None:
        """Wait for running work, then close all connections."""
        self._threads.shutdown(wait=True)
        self.engine.dispose()
        self._reader.dispose()


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    """Open a database for one command, and close it at the end."""
    database = Database(url, pool=1)
    try:
        yield database
    finally:
        database.close()


def _repeating(transaction: Callable[[], _T]) -> _T:
    for _ in range(_TRIES - 1):
        try:
            return transaction()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _REPEATABLE:
                raise
            _log.warning("transaction given up for another one, again: %s", error.orig)
    return transaction()


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _driver(url: str) -> str:
    """Name psycopg 3 where a PostgreSQL URL names no driver."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _prepare_sqlite(engine: Engine) -> None:
    """Take over transactions from the driver, which would begin too late to lock (trust.md 4)."""

    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        is_reading = connection.get_execution_options().get("is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def upgrade(url: str) -> None:
    """Create or migrate the database to this version's tables."""
    if _tables_version(url) == TABLES_VERSION:
        return
    from alembic import command  # noqa: PLC0415 - a third of a start's time, and almost every start needs it not
    from alembic.config import Config as AlembicConfig  # noqa: PLC0415

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("sqlalchemy.url", _driver(url).replace("%", "%%"))
    command.upgrade(settings, "head")
    _log.info("database migrated to %s", TABLES_VERSION)


def _tables_version(url: str) -> str | None:
    """Return the newest migration that a database has; None before the first."""
    engine = create_engine(_driver(url), poolclass=NullPool)
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version
