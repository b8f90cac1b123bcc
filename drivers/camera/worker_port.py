"""The camera's process as a port: starting it is opening, killing it is closing, its end is a hang-up.

So everything that holds for a serial port holds for it: the opener thread, deadlines, one reader in the event loop.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from drivers.camera import wire

#: A process whose socket is closed is about to end; the kernel only has to tidy up.
_END_S: Final = 0.5


class WorkerPort:
    """Starts and ends the process; implements `drivers.links.fd_link.Port`.

    Args:
        settings: What it is to do.
        command: Makes its command line; another one in tests of crashes.
    """

    def __init__(self, settings: wire.Settings, *, command: Callable[[str], Sequence[str]] | None = None) -> None:
        self._settings = settings
        self._command = command or _command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> str:
        """Return the path of the camera, for messages and for the question whether it is there."""
        return self._settings.path

    @property
    def pid(self) -> int:
        """Return the process; 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    def crash(self) -> str:
        """Return by what the process was ended, empty if it runs or ended by itself."""
        code = None if self._process is None else self._process.poll()
        if code is None or code >= 0:
            return ""
        if -code == signal.SIGALRM:
            return f"a frame took longer than {self._settings.deadline_s:g} s"
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
        return f"ended by signal {-code}"

    async def wait_ended(self) -> None:
        """Wait a moment for the process whose socket has closed, so that `crash` knows how it ended."""
        if self._process is None or self._process.poll() is not None:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        watch = os.pidfd_open(self._process.pid)  # readable when the process has ended, pidfd_open(2)
        loop.add_reader(watch, ended.set)
        try:
            async with asyncio.timeout(_END_S):
                await ended.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(watch)
            os.close(watch)

    def acquire(self) -> int:
        """Start the process and return our end of its socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    self._command(msgspec.json.encode(self._settings).decode()),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # zbar writes there, and a traceback could quote a code
                    env={**os.environ, "PYTHONPATH": _search_path()},
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours.detach()

    def release(self, fd: int) -> None:
        """Close the socket and kill the process: it has nothing to save, and the kernel lets the camera go."""
        with contextlib.suppress(OSError):
            os.close(fd)
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _command(settings: str) -> Sequence[str]:
    return (sys.executable, "-m", "drivers.camera.worker", settings)


def _search_path() -> str:
    """Return where this package was found, so that the process finds the same one."""
    return os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))))
