"""Copies of an SQLite database: taken while it is in use, put back while nobody uses it (trust.md 8).

For PostgreSQL: `backoffice.backup_postgres`.
"""

import contextlib
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from backoffice.config import Config
from pos_agent.files import sync_folder


class BackupError(ValueError):
    """A copy that cannot be made or put back; nothing was changed."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that was made and read back."""

    file: str
    size_bytes: int
    sha256: str
    epoch: int
    refunds: int


def sqlite_file(config: Config) -> Path:
    """Return the database's file.

    Raises:
        BackupError: The database is not SQLite.
    """
    scheme, _, name = config.database.url.partition(":///")
    if scheme != "sqlite" or not name:
        raise BackupError("not SQLite: copy it with its own tools, then run 'pos-backoffice restore' without a file")
    return Path(name)


@contextlib.contextmanager
def in_use(database: Path) -> Iterator[None]:
    """Hold the database as its running back office does; several workers may, a restore may not.

    Raises:
        BackupError: A restore is at work.
    """
    with _locked(database, fcntl.LOCK_SH, "a restore is at work on this database"):
        yield


@contextlib.contextmanager
def _locked(database: Path, mode: int, why_not: str) -> Iterator[None]:
    path = database.with_name(database.name + ".lock")
    with path.open("a") as file:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(why_not) from error
        yield


def back_up(database: Path, target: Path) -> Copy:
    """Copy a database that may be in use, to a file that appears only when it is whole and durable.

    Raises:
        BackupError: The target exists, or the copy does not read back.
    """
    if target.exists():
        raise BackupError(f"{target} exists")
    if not database.exists():
        raise BackupError(f"{database} does not exist")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        _copy(database, part)
        made = inspect_copy(part)
        return durable(part, target, epoch=made.epoch, refunds=made.refunds)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def durable(part: Path, target: Path, *, epoch: int, refunds: int) -> Copy:
    """Flush a whole copy, give it its name, and say what it is."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    part.rename(target)
    sync_folder(target.parent)
    return Copy(file=str(target), size_bytes=target.stat().st_size, sha256=digest, epoch=epoch, refunds=refunds)


def _copy(source: Path, target: Path) -> None:
    """Copy by SQLite's online backup, which sees one snapshot, into one file without a WAL beside it."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as from_,
        contextlib.closing(sqlite3.connect(target)) as to,
    ):
        from_.backup(to)
        to.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def inspect_copy(path: Path) -> Copy:
    """Check a copy and say what is in it.

    Raises:
        BackupError: Not a whole database of a back office.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise BackupError(f"{path}: {verdict}")
            epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            refunds = connection.execute("SELECT COUNT(*) FROM refund_requests").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Copy(
        file=str(path),
        size_bytes=path.stat().st_size,
        sha256=digest,
        epoch=int(epoch[0]) if epoch else 1,
        refunds=refunds,
    )


def epoch_of(database: Path) -> int:
    """Return the epoch of a database that may be damaged or gone; 0 if it cannot be told."""
    try:
        return inspect_copy(database).epoch if database.exists() else 0
    except BackupError:
        return 0


@contextlib.contextmanager
def put_back(copy: Path, database: Path) -> Iterator[Path]:
    """Put a copy in the place of the database, which is kept beside it; used as a context until the epoch is set.

    If the body fails, the database that was there is put back.

    Yields:
        Where the replaced database is kept now; it may not exist.
    Raises:
        BackupError: The copy is not whole, or a back office is running.
    """
    inspect_copy(copy)
    with _locked(database, fcntl.LOCK_EX, "a back office runs on this database: stop it first"):
        kept = free_name(database)
        fresh = database.with_name(database.name + ".restoring")
        fresh.unlink(missing_ok=True)
        _copy(copy, fresh)
        fresh.chmod(0o600)
        _move_with_wal(database, kept)
        fresh.rename(database)
        sync_folder(database.parent)
        try:
            yield kept
        except BaseException:
            database.unlink(missing_ok=True)
            _move_with_wal(kept, database)
            raise


def free_name(database: Path) -> Path:
    """Return where what is replaced is kept: the first name that nothing has."""
    number = 1
    while (kept := database.with_name(f"{database.name}.replaced-{number}")).exists():
        number += 1
    return kept


def _move_with_wal(source: Path, target: Path) -> None:
    """Move a database with the files beside it; without its WAL it would lose commits."""
    for suffix in ("", "-wal", "-shm"):
        part = source.with_name(source.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
