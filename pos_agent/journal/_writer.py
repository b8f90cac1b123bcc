"""The writer thread: owns the connections, runs operations in order, commits what is queued in one go."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from pos_agent.errors import JournalCorruptError, JournalError, JournalFullError, PosAgentError
from pos_agent.journal import _errors
from pos_agent.journal._reserve import Reserve

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
#: Most operations that share one commit; bounds how long the first one waits.
_BATCH: Final = 256


class Wakes(Protocol):
    """Something to set after a commit."""

    def set(self) -> None:
        """Wake waiters."""


class Mode(Enum):
    """What an operation does, which decides its transaction."""

    READ = "read"
    WRITE = "write"
    DRAFT = "draft"
    NOTHING = "nothing"


@dataclass(slots=True)
class Databases:
    """The open connections; used on the writer thread only.

    Attributes:
        reserve: Room to finish what was begun on a full disk; None beside a daemon.
        is_unchecked: The stop before was not clean and the file too large to be read before the menu comes up.
        trouble: Code of the newest refusal of the disk; a write that succeeds ends it, damage stays.
    """

    journal: sqlite3.Connection
    draft: sqlite3.Connection
    reserve: Reserve | None = None
    is_unchecked: bool = False
    trouble: str = ""

    def note(self, error: BaseException | None) -> None:
        """Remember how a write ended."""
        if isinstance(error, sqlite3.Error):
            found = _errors.translated(error)
            if isinstance(found, JournalCorruptError | JournalFullError) and self.trouble != JournalCorruptError.code:
                self.trouble = found.code
        elif error is None and self.trouble != JournalCorruptError.code:
            self.trouble = ""

    def close(self) -> None:
        """Fold the WAL back and close."""
        for connection in (self.journal, self.draft):
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                _log.warning("journal checkpoint failed error=%s", error)
            connection.close()


@dataclass(slots=True)
class _Job:
    run: Callable[[Databases], Any]
    mode: Mode
    future: "asyncio.Future[Any]"
    wakes: tuple[Wakes, ...]
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Writer:
    """Runs operations on its own thread; results come back to the loop that made it.

    Attributes:
        on_trouble: Set when the disk refused a write, or pages are damaged.
    """

    on_trouble: Wakes
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _queue: "queue.SimpleQueue[_Job | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    _ended: "asyncio.Future[None] | None" = None

    async def start(self, opener: Callable[[], Databases]) -> None:
        """Start the thread; return when `opener` has run on it, or raise what it raised."""
        opened: asyncio.Future[None] = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(opener, opened), name="journal-writer", daemon=True)
        self._thread.start()
        try:
            await opened
        except (PosAgentError, OSError):
            await self._join()
            raise

    async def run(self, operation: Callable[[Databases], _T], mode: Mode, wakes: tuple[Wakes, ...] = ()) -> _T:
        """Run one operation; it is committed when this returns, whole or not at all.

        A caller that is cancelled stops waiting only: the operation still runs.
        """
        if self._thread is None:
            raise JournalError("the journal is closed")
        job = _Job(operation, mode, self._loop.create_future(), wakes)
        self._queue.put(job)
        result: _T = await job.future
        return result

    def has_work(self) -> bool:
        """Return True if something waits for the thread; what can be put off ends then."""
        return not self._queue.empty()

    async def stop(self) -> None:
        """Run what is queued, close the databases, end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            await self._join()

    async def _join(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and self._ended is not None:
            await asyncio.shield(self._ended)
            thread.join()

    # -- on the writer thread -----------------------------------------------------------------------------------

    def _main(self, opener: Callable[[], Databases], opened: "asyncio.Future[None]") -> None:
        try:
            databases = opener()
        except (PosAgentError, OSError) as error:
            self._tell(_settle, opened, None, error)
        else:
            self._tell(_settle, opened, None, None)
            try:
                while batch := self._next_batch():
                    _execute(databases, batch)
                    self._tell(_deliver, batch, self.on_trouble)
            finally:
                databases.close()
        self._tell(_settle, self._ended, None, None)

    def _tell(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            _log.warning("journal event loop is gone")

    def _next_batch(self) -> list[_Job]:
        """Wait for work; an empty list means stop. A stop behind work is put back for the next round."""
        job = self._queue.get()
        batch: list[_Job] = []
        while job is not None:
            batch.append(job)
            if len(batch) >= _BATCH:
                return batch
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)
        return batch


# -- one batch ------------------------------------------------------------------------------------------------------


def _execute(databases: Databases, batch: list[_Job]) -> None:
    """Run a batch in order; neighbours on the journal share one transaction and one flush."""
    group: list[_Job] = []
    for job in batch:
        if job.mode in (Mode.READ, Mode.WRITE):
            group.append(job)
            continue
        _execute_group(databases, group)
        group = []
        _run(databases, job)
    _execute_group(databases, group)


def _execute_group(databases: Databases, group: list[_Job]) -> None:
    if not group:
        return
    if len(group) > 1 and any(job.mode is Mode.WRITE for job in group):
        try:
            _transact_together(databases, group)
        except sqlite3.Error as error:
            # The disk refused the group; alone, a smaller one may still fit, and each learns its own fate.
            _log.warning("journal group commit failed size=%d error=%s", len(group), error)
            _roll_back(databases.journal)
        else:
            return
    for job in group:
        _transact_alone(databases, job)


def _transact_together(databases: Databases, group: list[_Job]) -> None:
    journal = databases.journal
    journal.execute("BEGIN IMMEDIATE")
    for job in group:
        if job.mode is Mode.READ:
            _run(databases, job)
        else:
            journal.execute("SAVEPOINT job")
            _run(databases, job)
            if job.error is not None:
                if not journal.in_transaction or _errors.is_storage_error(job.error):
                    raise sqlite3.OperationalError("transaction was rolled back by the database")
                journal.execute("ROLLBACK TO job")
            journal.execute("RELEASE job")
    journal.execute("COMMIT")
    databases.note(None)


def _transact_alone(databases: Databases, job: _Job) -> None:
    """Run one operation in its own transaction; on a full disk once more with the room of the reserve."""
    _transact(databases, job)
    if _errors.is_storage_error(job.error) and databases.reserve is not None and databases.reserve.give_back():
        _transact(databases, job)
    if job.mode is Mode.WRITE or job.error is not None:
        databases.note(job.error)


def _transact(databases: Databases, job: _Job) -> None:
    job.result, job.error = None, None
    journal = databases.journal
    try:
        journal.execute("BEGIN IMMEDIATE" if job.mode is Mode.WRITE else "BEGIN")
        _run(databases, job)
        if job.error is None:
            journal.execute("COMMIT")
    except sqlite3.Error as error:
        job.error = error
    if job.error is not None:
        _roll_back(journal)


def _roll_back(journal: sqlite3.Connection) -> None:
    try:
        if journal.in_transaction:
            journal.execute("ROLLBACK")
    except sqlite3.Error as error:
        _log.error("journal roll-back failed error=%s", error)


def _run(databases: Databases, job: _Job) -> None:
    """Supervise one operation: whatever it raises belongs to its caller, never to the thread."""
    job.result, job.error = None, None
    try:
        job.result = job.run(databases)
    except Exception as error:  # noqa: BLE001 - handed to the caller, who sees it raised
        job.error = error


# -- back on the loop -----------------------------------------------------------------------------------------------


def _deliver(batch: list[_Job], on_trouble: Wakes) -> None:
    for job in batch:
        error = job.error
        if isinstance(error, sqlite3.Error):
            error = _errors.translated(error)
            error.__cause__ = job.error
            if isinstance(error, JournalCorruptError | JournalFullError):
                on_trouble.set()
        _settle(job.future, job.result, error)
        if error is None:
            for waker in job.wakes:
                waker.set()


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
