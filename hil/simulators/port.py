"""A serial port as a pty behind a stable symlink, as udev's by-id links are. Bench only; knows no protocol.

The simulator keeps the slave open itself, so that the raw mode survives while nobody else has the port open. To stay
true to a real tty all the same, inotify tells it when the last user closes: what was unread is thrown away, and an
exclusive lock (TIOCEXCL) of a killed process goes with it.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Callable
from pathlib import Path

# Source: linux/inotify.h
_IN_OPEN = 0x20
_IN_CLOSE = 0x08 | 0x10
_INOTIFY_HEADER = struct.Struct("iIII")
_WRITE_TIMEOUT_S = 5.0


class PortUnpluggedError(ConnectionError):
    """The simulated cable is pulled: nothing can be sent."""


class SerialPort:
    """One pluggable pty; bytes that the terminal writes go to `on_data`.

    Attributes:
        path: The symlink that the terminal opens.
        dropped_byte_count: Bytes sent while no process had the port open; a real port loses them too.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_data: Callable[[bytes], None],
        on_opened: Callable[[], None] | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        self.path = path
        self.dropped_byte_count = 0
        self._on_data = on_data
        self._on_opened = on_opened
        self._window = window
        self._master = self._slave = self._watch = -1
        self._slave_name = ""
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writable = asyncio.Event()

    @property
    def is_plugged(self) -> bool:
        """Return whether the device is attached."""
        return self._master >= 0

    @property
    def master(self) -> int:
        """Return our end, for simulators that answer without waiting; -1 while unplugged."""
        return self._master

    def flow(self, action: int) -> None:
        """Hold (`termios.TCOOFF`) or free (`TCOON`) what the terminal writes, as a printer does with CTS or NAK."""
        termios.tcflow(self._slave, action)

    @property
    def is_open(self) -> bool:
        """Return whether a process has the port open now."""
        self._read_watch()
        return self._is_open

    def plug(self) -> None:
        """Attach: a new pty in raw mode at the same symlink. Must run in the event loop; a second call does nothing."""
        if self.is_plugged:
            return
        self._master, self._slave = os.openpty()
        self._slave_name = os.ttyname(self._slave)
        tty.setraw(self._slave)
        if self._window is not None:
            columns, rows = self._window
            fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self._master, False)
        self._is_open = False
        self._watch = _watch(self._slave_name)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, self._read_master)
        self._loop.add_reader(self._watch, self._read_watch)
        staged = self.path.with_name(f".{self.path.name}.new")
        staged.unlink(missing_ok=True)
        staged.symlink_to(self._slave_name)
        staged.replace(self.path)

    def unplug(self) -> None:
        """Pull the cable: the symlink goes, whoever has the port open gets a hang-up (b"" or EIO)."""
        if not self.is_plugged:
            return
        self.path.unlink(missing_ok=True)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._master)
            self._loop.remove_reader(self._watch)
            self._loop.remove_writer(self._master)
        self._writable.set()
        for fd in (self._watch, self._master, self._slave):
            os.close(fd)
        self._master = self._slave = self._watch = -1
        self._is_open = False

    async def write(self, data: bytes) -> None:
        """Send bytes to whoever has the port open; without one they are lost, as on a real port.

        Raises:
            PortUnpluggedError: The cable is pulled, or was pulled meanwhile.
            TimeoutError: The reader took nothing for 5 s.
        """
        if not self.is_plugged:
            raise PortUnpluggedError(str(self.path))
        if not self.is_open:
            self.dropped_byte_count += len(data)
            return
        view = memoryview(data)
        while view:
            if not self.is_plugged:
                raise PortUnpluggedError(str(self.path))
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                await self._wait_writable()

    def tap(self, listener: Callable[[bytes], None]) -> None:
        """Let somebody else hear what the terminal writes, too."""
        on_data = self._on_data

        def both(data: bytes) -> None:
            listener(data)
            on_data(data)

        self._on_data = both

    @property
    def speed(self) -> int:
        """Return the speed that the terminal set, as a constant of termios."""
        return int(termios.tcgetattr(self._master)[5])

    def stall(self) -> None:
        """Stop taking what the terminal writes, so that its writes fall short once the kernel is full."""
        if self._loop is not None and self.is_plugged:
            self._loop.remove_reader(self._master)

    def resume(self) -> None:
        """Take it again."""
        if self._loop is not None and self.is_plugged:
            self._loop.add_reader(self._master, self._read_master)

    def write_now(self, data: bytes) -> None:
        """Answer at once with a few bytes, from `on_data`; lost where nobody has the port open, as on a real line."""
        if self.is_plugged:
            with contextlib.suppress(BlockingIOError):
                self.dropped_byte_count += len(data) - os.write(self._master, data)

    async def _wait_writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready, master = asyncio.Event(), self._master
        self._writable = ready
        loop.add_writer(master, ready.set)
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                await ready.wait()
        finally:
            if self._master == master:
                loop.remove_writer(master)

    def _read_master(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._on_data(os.read(self._master, 65536))

    def _read_watch(self) -> None:
        if not self.is_plugged:
            return
        try:
            data = os.read(self._watch, 4096)
        except BlockingIOError:
            return
        while data:
            _, mask, _, length = _INOTIFY_HEADER.unpack_from(data)
            data = data[_INOTIFY_HEADER.size + length :]
            if mask & _IN_OPEN:
                self._opened()
            elif mask & _IN_CLOSE:
                self._closed()

    def _opened(self) -> None:
        was_open, self._is_open = self._is_open, True
        if not was_open and self._on_opened is not None:
            self._on_opened()

    def _closed(self) -> None:
        self._is_open = _has_other_users(self._slave_name, own_fd=self._slave)
        if self._is_open:
            return
        # A real port forgets on its last close; the pty, which we keep open, does not.
        fcntl.ioctl(self._slave, termios.TIOCNXCL)
        self._read_rest()
        termios.tcflush(self._slave, termios.TCIFLUSH)
        tty.setraw(self._slave)

    def _read_rest(self) -> None:
        """Take what the terminal wrote before it closed: on a real line it has left already."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._master, 65536):
                self._on_data(data)


def _watch(path: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0 or libc.inotify_add_watch(fd, path.encode(), _IN_OPEN | _IN_CLOSE) < 0:
        raise OSError(ctypes.get_errno(), "inotify", path)
    return fd


def _has_other_users(path: str, *, own_fd: int) -> bool:
    """Return whether any process that we may look into has `path` open (inotify merges equal events: no counting)."""
    own = f"/proc/{os.getpid()}/fd/{own_fd}"
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names only, thousands of them
        folder = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):
            for fd in os.listdir(folder):  # noqa: PTH208 - see above
                link = f"{folder}/{fd}"
                with contextlib.suppress(OSError):
                    if os.readlink(link) == path and link != own:  # noqa: PTH115 - resolving would follow on
                        return True
    return False
