"""Floors: what the same machine needs for the unavoidable part, measured in the same run."""

import os
import select
import sqlite3
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path

from tests.bench.measure import median

#: What the daemon cannot do without (budget row 6).
IMPORTS = "import asyncio, ssl, sqlite3, paho.mqtt.client, serial, msgspec"


#: Open, read, write: nothing else. A process of its own, as the daemon is one.
_ECHO = """
import os, sys
source, target = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY), os.open(sys.argv[2], os.O_RDWR | os.O_NOCTTY)
os.write(target, b"!")
while True:
    os.write(target, os.read(source, 4096))
"""


def echo_times(count: int, size_bytes: int, pace_s: float) -> list[float]:
    """Return seconds from pty to pty through a process that opens, reads and writes: no decoding, no screen.

    The pace matters: a processor that has slept for a while wakes three times more slowly than a busy one.
    """
    in_master, in_slave = os.openpty()
    out_master, out_slave = os.openpty()
    for fd in (in_slave, out_slave):
        tty.setraw(fd)
    command = [sys.executable, "-c", _ECHO, os.ttyname(in_slave), os.ttyname(out_slave)]
    times = []
    with subprocess.Popen(command) as process:
        try:
            os.read(out_master, 1)
            for _ in range(count):
                time.sleep(pace_s)
                started = time.perf_counter()
                os.write(in_master, b"x" * size_bytes)
                select.select([out_master], [], [], 2)
                times.append(time.perf_counter() - started)
                os.read(out_master, 65_536)
        finally:
            process.kill()
            for fd in (in_master, in_slave, out_master, out_slave):
                os.close(fd)
    return times


def wal_commit_times(folder: Path, count: int) -> list[float]:
    """Return seconds of one-row commits, WAL, synchronous=FULL."""
    connection = sqlite3.connect(Path(tempfile.mkdtemp(dir=folder)) / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, doc BLOB)")
    times = []
    for _ in range(count):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t (doc) VALUES (?)", (b"x" * 462,))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    connection.close()
    return times


def import_s(runs: int) -> float:
    """Return the median seconds of a bare interpreter that imports what the daemon cannot do without."""
    times = []
    for _ in range(runs):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
        times.append(time.monotonic() - started)
    return median(times)


def import_rss_bytes() -> int:
    """Return the resident bytes of a bare interpreter with those imports."""
    script = f"{IMPORTS}\nimport sys; print(open('/proc/self/statm').read()); sys.stdout.flush(); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pages = int(process.stdout.readline().split()[1])
        process.communicate(b"\n")
    return pages * os.sysconf("SC_PAGE_SIZE")
