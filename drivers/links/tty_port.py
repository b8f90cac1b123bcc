"""A terminal as an output device: the pty of the bench, an ssh session, a terminal emulator on a panel."""

import contextlib
import errno
import fcntl
import os
import termios

#: ioctl of kernel virtual consoles only. Source: linux/kd.h
_KDGETMODE = 0x4B3B


class TtyPort:
    """A terminal without echo and without output processing; its settings are put back on release.

    Attributes:
        is_kernel_console: After `acquire`: True for tty1 and its like, which have no Han glyphs (D21).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._saved: list[int | list[bytes | int]] | None = None
        self.is_kernel_console = False

    @property
    def path(self) -> str:
        """Return the path of the terminal."""
        return self._path

    def acquire(self) -> int:
        """Open, lock (a second agent on the same screen would garble it) and silence the terminal."""
        fd = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._silence(fd)
        except BaseException:
            os.close(fd)
            raise
        self.is_kernel_console = _is_kernel_console(fd)
        return fd

    def release(self, fd: int) -> None:
        """Put the settings back and close."""
        if self._saved is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, self._saved)
        with contextlib.suppress(OSError):
            os.close(fd)

    def _silence(self, fd: int) -> None:
        try:
            self._saved = termios.tcgetattr(fd)
            changed = termios.tcgetattr(fd)
            changed[1] &= ~termios.OPOST
            changed[3] &= ~(termios.ECHO | termios.ICANON)
            changed[6][termios.VMIN] = 1
            changed[6][termios.VTIME] = 0
            termios.tcsetattr(fd, termios.TCSANOW, changed)
        except termios.error as error:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), self._path) from error


def _is_kernel_console(fd: int) -> bool:
    try:
        fcntl.ioctl(fd, _KDGETMODE, b"\0\0\0\0")
    except OSError:
        return False
    return True
