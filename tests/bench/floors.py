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


#: What any program with one event loop and one inbox does for a byte (D1): no decoding, no state, no screen. With
#: ``thread`` it also asks another thread, as the journal is asked before a scanned number is judged (D14).
_ECHO = """
import asyncio, os, sys
source, target = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY), os.open(sys.argv[2], os.O_RDWR | os.O_NOCTTY)
async def main():
    inbox, loop = asyncio.Queue(), asyncio.get_running_loop()
    loop.add_reader(source, lambda: inbox.put_nowait(os.read(source, 4096)))
    if sys.argv[3] == "thread":
        await loop.run_in_executor(None, bytes)
    os.write(target, b"!")
    while True:
        data = await inbox.get()
        if sys.argv[3] == "thread":
            await loop.run_in_executor(None, bytes)
        os.write(target, data)
asyncio.run(main())
"""


def echo_times(count: int, size_bytes: int, pace_s: float, *, asks_thread: bool = False) -> list[float]:
    """Return seconds from pty to pty through an event loop and its inbox, see ADR 0018.

    The pace matters: a processor that has slept for a while wakes three times more slowly than a busy one.
    """
    in_master, in_slave = os.openpty()
    out_master, out_slave = os.openpty()
    for fd in (in_slave, out_slave):
        tty.setraw(fd)
    kind = "thread" if asks_thread else "loop"
    command = [sys.executable, "-c", _ECHO, os.ttyname(in_slave), os.ttyname(out_slave), kind]
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


class WalFloor:
    """One-row commits, WAL, synchronous=FULL: what a durable fact costs at least."""

    def __init__(self, folder: Path) -> None:
        connection = sqlite3.connect(Path(tempfile.mkdtemp(dir=folder)) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, doc BLOB)")
        self._connection = connection

    def commit(self) -> float:
        """Return the seconds of one commit."""
        started = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO t (doc) VALUES (?)", (b"x" * 462,))
        self._connection.execute("COMMIT")
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def wal_commit_times(folder: Path, count: int) -> list[float]:
    """Return seconds of one-row commits, WAL, synchronous=FULL."""
    floor = WalFloor(folder)
    times = [floor.commit() for _ in range(count)]
    floor.close()
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
