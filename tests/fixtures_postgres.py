"""A private PostgreSQL cluster of Debian's package, on a Unix socket, run by an unprivileged user.

Use it with `from tests.fixtures_postgres import postgresql` in a conftest.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import create_engine, text

#: ``nobody``: PostgreSQL refuses to run as root.
_NOBODY = 65534


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


def empty(url: str) -> None:
    """Take everything out of the database."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Yield the URL of a cluster that is gone after the module."""
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
    options = f"-k {folder} -c listen_addresses= -c max_connections=60"
    start = as_nobody(control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    _call(start, folder=folder)
    try:
        yield f"postgresql://pos@/postgres?host={folder}"
    finally:
        _call(as_nobody(control, "-D", str(data), "-m", "immediate", "stop"), folder=folder)
        shutil.rmtree(folder)
