"""What every test must leave behind: no task, no thread, no open file."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

_FDS = Path("/proc/self/fd")


def _open_fds() -> dict[str, str]:
    """Return open descriptors with what they point to, without the listing's own."""
    found = {}
    for entry in os.listdir(_FDS):  # noqa: PTH208 - iterdir() opens a descriptor that shows up in the list
        try:
            found[entry] = os.readlink(_FDS / entry)  # noqa: PTH115 - resolving would follow the link
        except OSError:
            continue
    return {fd: target for fd, target in found.items() if not target.startswith(("/proc/", "anon_inode:inotify"))}


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread or an open file descriptor behind."""
    threads_before = set(threading.enumerate())
    fds_before = _open_fds()
    yield
    gc.collect()
    threads = [thread.name for thread in threading.enumerate() if thread not in threads_before and thread.is_alive()]
    assert not threads, f"threads left behind: {threads}"
    fds = {fd: target for fd, target in _open_fds().items() if fds_before.get(fd) != target}
    assert not fds, f"file descriptors left behind: {fds}"


@pytest_asyncio.fixture(autouse=True)
async def no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail an asynchronous test that leaves tasks running."""
    yield
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
    assert not left, f"tasks left behind: {left}"
