"""A private PostgreSQL cluster of Debian's package, on a Unix socket, run by an unprivileged user.

The cluster is made when the first test asks for a database, and serves all tests of the process; each has a database
of its own, which is a copy of one that the back office's migrations made.
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

#: ``nobody``: PostgreSQL refuses to run as root.
_NOBODY = 65534
#: No test cuts the power of the cluster.
_OPTIONS = "-c listen_addresses= -c max_connections=60 -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
_TEMPLATE = "migrated"


def find_postgresql() -> Path | None:
    """Return the folder of the programs, None where the package is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def as_nobody(*command: str) -> list[str]:
    """Return a command that an unprivileged user runs."""
    if os.getuid() != 0:
        return list(command)
    return [str(shutil.which("setpriv")), f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *command]


def _call(command: list[str], *, folder: Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)


class Cluster:
    """A running cluster.

    Args:
        folder: Where its socket is.
    """

    def __init__(self, folder: Path) -> None:
        from backoffice.store.database import upgrade

        self._folder = folder
        self._numbers = itertools.count(1)
        self._say(f"CREATE DATABASE {_TEMPLATE}")
        upgrade(self.url(_TEMPLATE))

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://pos@/{name}?host={self._folder}"

    @contextmanager
    def database(self, *, template: str = _TEMPLATE) -> Iterator[str]:
        """Make a database for one test; yields its URL. It is dropped without force, so an open connection fails."""
        name = f"test_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._say(f"DROP DATABASE {name}")

    def _say(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """Yield a cluster that is gone after the session."""
    binaries = find_postgresql()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(mkdtemp(prefix="pg-", dir="/tmp"))
    if os.getuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    data = folder / "data"
    initdb = as_nobody(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "pos", "-E", "UTF8", "--no-sync")
    _call(initdb, folder=folder)
    control = str(binaries / "pg_ctl")
    options = f"-k {folder} {_OPTIONS}"
    start = as_nobody(control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    _call(start, folder=folder)
    try:
        yield Cluster(folder)
    finally:
        _call(as_nobody(control, "-D", str(data), "-m", "immediate", "stop"), folder=folder)
        shutil.rmtree(folder)


@pytest.fixture
def postgresql(postgresql_cluster: Cluster) -> Iterator[str]:
    """Yield the URL of a database with empty tables, for one test."""
    with postgresql_cluster.database() as url:
        yield url
