"""The status socket: answers, refuses long paths, replaces a stale socket."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pos_agent.control.server import ControlServer, read_status
from pos_agent.protocol.control import Status
from tests.fakes.samples import make_status


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:  # a socket's path must be short
        yield Path(folder) / "run"


async def status() -> Status:
    return make_status()


async def test_status_is_answered_to_each_client(runtime_dir: Path) -> None:
    server = ControlServer(runtime_dir, status)
    await server.start()
    try:
        answers = await asyncio.gather(*(asyncio.to_thread(read_status, runtime_dir) for _ in range(3)))
    finally:
        await server.close()
        await asyncio.get_running_loop().shutdown_default_executor()
    assert answers == [make_status()] * 3
    assert not (runtime_dir / "status.sock").exists()


async def test_stale_socket_is_replaced(runtime_dir: Path) -> None:
    runtime_dir.mkdir()
    (runtime_dir / "status.sock").write_text("left by a dead daemon")
    server = ControlServer(runtime_dir, status)
    await server.start()
    await server.close()


async def test_too_long_path_says_what_to_change(runtime_dir: Path) -> None:
    server = ControlServer(runtime_dir / ("x" * 120), status)
    with pytest.raises(OSError, match=r"terminal\.runtime_dir"):
        await server.start()
