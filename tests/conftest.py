"""What every test must leave behind: no task, no thread, no open file."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.fonts.cells import bundled_font
from tests.fixtures_postgres import postgresql, postgresql_cluster

__all__ = ["postgresql", "postgresql_cluster"]

_FDS = Path("/proc/self/fd")
#: Mapped once a process and kept: no test leaves it behind.
bundled_font()


def _open_fds() -> dict[str, str]:
    """Return open descriptors with what they point to, without the listing's own."""
    found = {}
    for entry in os.listdir(_FDS):  # noqa: PTH208 - iterdir() opens a descriptor that shows up in the list
        try:
            found[entry] = os.readlink(_FDS / entry)  # noqa: PTH115 - resolving would follow the link
        except OSError:
            continue
    return {fd: target for fd, target in found.items() if not target.startswith(("/proc/", "anon_inode:inotify"))}


def _left_behind(threads_before: set[threading.Thread], fds_before: dict[str, str]) -> list[str]:
    threads = [f"thread {one.name}" for one in threading.enumerate() if one not in threads_before and one.is_alive()]
    fds = [f"fd {fd} {target}" for fd, target in _open_fds().items() if fds_before.get(fd) != target]
    return threads + fds


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread or an open file descriptor behind."""
    threads_before = set(threading.enumerate())
    fds_before = _open_fds()
    yield
    if not _left_behind(threads_before, fds_before):
        return
    gc.collect()  # only on suspicion: a collection of the whole heap after each test took most of the suite's time
    left = _left_behind(threads_before, fds_before)
    assert not left, f"left behind: {left}"


@pytest_asyncio.fixture(autouse=True)
async def no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail an asynchronous test that leaves tasks running."""
    yield
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
    assert not left, f"tasks left behind: {left}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take what is loaded by now out of the garbage collector's sight: it is never garbage, and walking it is slow."""
    gc.collect()
    gc.freeze()
