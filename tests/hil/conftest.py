"""One running bench for all scenario tests of a module, made fresh before each test.

A bench starts in a few seconds and is reset in about one, so a module pays the start once.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.bench.client import BenchClient
from tests.hil.cashier import Cashier
from tests.hil.spy import Spy
from tests.hil.till import BenchUse, Till

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0


class RunningBench:
    """A bench as a child process, started by ``python -m hil demo --headless``.

    Attributes:
        info: The JSON line of its start.
        state_dir: Everything of this run.
        log_dir: Logs of all its processes.
    """

    def __init__(self, state_dir: Path, *options: str, is_fast: bool = True) -> None:
        self.state_dir = state_dir
        self.log_dir = state_dir / "logs"
        command = [sys.executable, "-m", "hil", "demo", "--headless", "--port", "0"]
        command += ["--state-dir", str(state_dir), *(["--fast"] if is_fast else []), *options]
        with (state_dir.parent / f"{state_dir.name}.log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
        self.log_path = state_dir.parent / f"{state_dir.name}.log"
        self.info: dict[str, Any] = json.loads(self._first_line())

    @property
    def pid(self) -> int:
        """Return the bench's process id."""
        return self._process.pid

    def _first_line(self) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        line = b""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(stdout.fileno(), 65536) if readable else b""
            if not piece:
                self.stop()
                pytest.fail(f"the bench did not start:\n{self.log_path.read_text('utf-8')[-4000:]}")
            line += piece
        return line

    def stop(self) -> int:
        """End the bench in order; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.returncode


@contextmanager
def run_bench(folder: Path, *options: str, is_fast: bool = True) -> Iterator[RunningBench]:
    """A bench that is ended in order, which must succeed."""
    bench = RunningBench(folder / "state", *options, is_fast=is_fast)
    try:
        yield bench
    finally:
        exit_code = bench.stop()
    assert exit_code == 0, bench.log_path.read_text("utf-8")[-4000:]


@contextmanager
def open_till(bench: RunningBench, use: BenchUse) -> Iterator[Till]:
    """A cashier at MENU of a bench; earlier tests may have left requests for other sales."""
    with BenchClient(bench.info["api"]) as client:
        till = Till(client, use)
        till.open()
        yield till


@pytest.fixture(scope="session")
def running_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBench]:
    """The bench of the session."""
    with run_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(running_bench: RunningBench, bench_use: BenchUse) -> Iterator[BenchClient]:
    """A client of a fresh bench: LOGIN on the screen, no requests, no slips, no faults."""
    with BenchClient(running_bench.info["api"]) as client:
        if not bench_use.is_new:
            client.reset()
        bench_use.is_new = False
        bench_use.daemon_pid = 0
        yield client


@pytest.fixture
def signed_in(bench: BenchClient) -> BenchClient:
    """A fresh bench with the cashier signed in: MENU on the screen."""
    bench.sign_in()
    return bench


@pytest.fixture
def cashier(signed_in: BenchClient) -> Cashier:
    """A cashier at MENU of a fresh bench."""
    return Cashier(signed_in)


@pytest.fixture(scope="session")
def bench_use() -> BenchUse:
    """What the tests of this session have used up of the bench."""
    return BenchUse()


@pytest.fixture
def till(running_bench: RunningBench, bench_use: BenchUse) -> Iterator[Till]:
    """A cashier at MENU of the session's bench."""
    with open_till(running_bench, bench_use) as till:
        yield till


@pytest.fixture
def fresh_till(running_bench: RunningBench, bench_use: BenchUse) -> Iterator[Till]:
    """A cashier at MENU on fresh data, for tests that need a certain sale or leave something behind."""
    with BenchClient(running_bench.info["api"]) as client:
        till = Till(client, bench_use)
        till.open_fresh()
        yield till
        bench_use.daemon_pid = 0


@pytest.fixture(scope="session")
def spied_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBench]:
    """A second bench, whose broker lets one client do everything."""
    with run_bench(tmp_path_factory.mktemp("spied"), "--spy") as bench:
        yield bench


@pytest.fixture(scope="session")
def spied_use() -> BenchUse:
    """What the tests of this session have used up of the spied bench."""
    return BenchUse()


@pytest.fixture
def spied_till(spied_bench: RunningBench, spied_use: BenchUse) -> Iterator[Till]:
    """A cashier at MENU of the spied bench."""
    with open_till(spied_bench, spied_use) as till:
        yield till


@pytest.fixture
def spy(spied_till: Till, spied_bench: RunningBench) -> Iterator[Spy]:
    """Somebody who owns the broker; listens from before the test's first message."""
    with Spy(spied_bench.state_dir, spied_bench.info["terminal_id"]) as spy:
        yield spy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give scenarios more time: the first one on a worker starts a whole bench within its own."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))
