"""Copies of a PostgreSQL database, by its own programs: the same promises as `backoffice.backup` (trust.md 8)."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, inspect, make_url, select
from sqlalchemy import func as sql
from sqlalchemy.exc import SQLAlchemyError

from backoffice.backup import BackupError, Copy, durable, free_name
from backoffice.clock import system_now
from backoffice.execution import lease
from backoffice.refunds import current_epoch
from backoffice.store.database import open_database
from backoffice.store.schema import Refund

#: Where Debian puts the programs of a version, beside its wrappers on the path.
_DEBIAN = Path("/usr/lib/postgresql")
#: A table of ours that a copy of a back office has. Source: ``pg_restore --list``, PostgreSQL 15.
_MARK = re.compile(r"TABLE DATA \S+ refund_requests ")


def is_postgres(url: str) -> bool:
    """Return True for a database that these programs copy."""
    return make_url(url).get_backend_name() == "postgresql"


def back_up(url: str, target: Path) -> Copy:
    """Copy a database that may be in use, to a file that appears only when it is whole and durable.

    Raises:
        BackupError: The target exists, a program is missing or fails, or the copy does not read back.
    """
    if target.exists():
        raise BackupError(f"{target} exists")
    epoch, refunds = _facts(url)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        _run(url, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
        _check(url, part)
        return durable(part, target, epoch=epoch, refunds=refunds)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _facts(url: str) -> tuple[int, int]:
    """Return epoch and number of refunds.

    Raises:
        BackupError: It cannot be read.
    """
    try:
        with open_database(url) as database, database.reading() as session:
            return current_epoch(session), session.scalar(select(sql.count()).select_from(Refund)) or 0
    except SQLAlchemyError as error:
        raise BackupError(f"the database cannot be read: {error}") from error


def _check(url: str, copy: Path) -> None:
    """Read a copy back to its end.

    Raises:
        BackupError: It is not a whole copy of a back office.
    """
    try:
        is_ours = _MARK.search(_run(url, "pg_restore", "--list", str(copy))) is not None
        _run(url, "pg_restore", "--file=/dev/null", str(copy))
    except BackupError as error:
        raise BackupError(f"{copy}: {error}") from error
    if not is_ours:
        raise BackupError(f"{copy}: not a copy of a back office")


@contextlib.contextmanager
def put_back(copy: Path, url: str) -> Iterator[tuple[int, Path | None]]:
    """Put a copy in the place of what the database holds, in one transaction; used as a context until the epoch is set.

    If the body fails, what was there is put back.

    Yields:
        The epoch that was lost (0 if the database was empty), and the file that keeps what was replaced.
    Raises:
        BackupError: The copy is not whole, a back office runs, or what is there cannot be kept.
    """
    _check(url, copy)
    lost_epoch, kept = 0, None
    if _is_used(url):
        kept = free_name(copy.with_name(make_url(url).database or "database"))
        lost_epoch = back_up(url, kept).epoch
    _replace(url, copy)
    try:
        yield lost_epoch, kept
    except BaseException:
        if kept is not None:
            _replace(url, kept)
        raise


def _is_used(url: str) -> bool:
    """Return whether a back office has worked on this database.

    Raises:
        BackupError: It cannot be reached, or a back office works on it now.
    """
    try:
        with open_database(url) as database:
            if not inspect(database.engine).get_table_names():
                return False
            if lease.is_working(database, system_now):
                raise BackupError("a back office runs on this database: stop it first")
            return True
    except SQLAlchemyError as error:
        raise BackupError(f"the database cannot be reached: {error}") from error


def _replace(url: str, copy: Path) -> None:
    """Empty the database and fill it from a copy, or change nothing: tables that are newer than the copy go too."""
    script = copy.with_name(copy.name + ".sql")
    script.unlink(missing_ok=True)
    script.touch(mode=0o600)
    try:
        _run(url, "pg_restore", "--no-owner", f"--file={script}", str(copy))
        empty = ("--command=DROP SCHEMA public CASCADE", "--command=CREATE SCHEMA public")
        options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
        _run(url, "psql", *options, *empty, f"--file={script}")
    finally:
        script.unlink(missing_ok=True)


def _run(url: str, program: str, *arguments: str) -> str:
    """Run a program; return what it printed. The password goes through the environment, where no other user sees it."""
    path = _find(program)
    if path is None:
        raise BackupError(f"{program} is not installed: apt-get install postgresql-client")
    done = subprocess.run(
        [path, *arguments], env=_environment(make_url(url)), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BackupError(f"{program}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _find(program: str) -> str | None:
    versions = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: path.parts[-3].rjust(4))
    return str(versions[-1]) if versions else shutil.which(program)


def _environment(url: URL) -> dict[str, str]:
    """Return the connection in libpq's words. Source: PostgreSQL 15, section 34.15."""
    host = url.query.get("host", url.host or "")
    found = {
        "PGHOST": host if isinstance(host, str) else ",".join(host),
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
        "PGSSLMODE": str(url.query.get("sslmode", "")),
        "PGSSLROOTCERT": str(url.query.get("sslrootcert", "")),
    }
    return {**os.environ, **{name: value for name, value in found.items() if value}}
