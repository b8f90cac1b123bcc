"""A child process of the rig: log file, ordered end, dies with its parent. No thread is used to wait for it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: prctl(2) option: the signal that a child gets when its parent ends. Source: linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
#: Capacity of a pipe. Source: pipe(7).
_PIPE_BYTES = 65_536
ROOT = Path(__file__).resolve().parents[2]


class ProcessFailedError(RuntimeError):
    """A child ended, or was not ready in time; the text holds the end of its log."""


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ManagedProcess:
    """One child process, started and ended as often as wanted; its output is appended to one log file."""

    def __init__(self, name: str, log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def is_running(self) -> bool:
        """Return whether the child lives (a stopped child lives)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id; 0 when there is no child."""
        return self._process.pid if self._process is not None else 0

    def spawn(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
        """Start the child.

        Args:
            command: Program and arguments.
            env: Variables added to our own.
            cwd: Working folder; default is the root of the clone.
        """
        assert not self.is_running, f"{self.name} is running"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})},
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the rig has no thread that could hold a lock here
                start_new_session=True,
            )

    def log_text(self) -> str:
        """Return what this run of the child has written so far."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    async def wait_until(self, is_ready: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until `is_ready`, looked at every 20 ms.

        Raises:
            ProcessFailedError: The child ended, or the time is over.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not is_ready():
            if not self.is_running:
                raise ProcessFailedError(f"{self.name} ended before {what}:\n{self.log_text()[-2000:]}")
            if asyncio.get_running_loop().time() > deadline:
                raise ProcessFailedError(f"{self.name}: no {what} in {timeout_s:g} s:\n{self.log_text()[-2000:]}")
            await asyncio.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when there is no child."""
        if self.is_running and self._process is not None:
            self._process.send_signal(number)

    async def stop(self, *, timeout_s: float = 5.0) -> None:
        """End the child by SIGTERM, after `timeout_s` by SIGKILL."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if not await self._wait_exit(timeout_s):
            await self.kill()

    async def kill(self) -> None:
        """End the child by SIGKILL, as a power cut would."""
        self.signal(signal.SIGKILL)
        await self._wait_exit(5.0)

    async def _wait_exit(self, timeout_s: float) -> bool:
        return self._process is None or await _ended(self._process, timeout_s)


async def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait for a child's end without a thread and without polling; False when the time is over first."""
    if process.poll() is not None:
        return True
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    process.wait()
    return True


async def run_tool(
    arguments: Sequence[str],
    *,
    log_path: Path,
    input_text: str = "",
    env: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
) -> str:
    """Run a Python module's command to its end and return its standard output.

    Args:
        arguments: As after ``python -m``.
        log_path: Gets the command's standard error.
        input_text: Its standard input; PINs and passwords go this way, never by arguments.
        env: Variables added to our own.
        timeout_s: Longest run.
    Raises:
        ProcessFailedError: Another exit code than 0, or not over in time.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log, tempfile.TemporaryFile() as output:
        start = log.tell()
        child = subprocess.Popen(  # noqa: ASYNC220 - asyncio would start a thread to wait for it
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - see ManagedProcess.spawn
        )
        _feed(child, input_text.encode())
        try:
            is_over = await _ended(child, timeout_s)
        finally:
            child.kill()
            child.wait()
        output.seek(0)
        text = output.read().decode()
    if not is_over:
        raise ProcessFailedError(f"{' '.join(arguments[:3])} did not end in {timeout_s:g} s:\n{_tail(log_path, start)}")
    if child.returncode != 0:
        raise ProcessFailedError(f"{' '.join(arguments[:3])} ended with {child.returncode}:\n{_tail(log_path, start)}")
    return text


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write a child's whole input at once; it fits into the pipe, so that nobody waits."""
    assert child.stdin is not None
    assert len(data) < _PIPE_BYTES
    with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
        stdin.write(data)


def _tail(log_path: Path, start: int) -> str:
    """Return the end of what was written to a log since `start`."""
    return log_path.read_bytes()[start:].decode("utf-8", "replace")[-2000:]
