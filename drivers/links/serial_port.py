"""A serial port, opened and configured by pyserial, then used as a plain descriptor (D20)."""

import contextlib
import errno
import fcntl
import os
import struct
import termios
import time

#: How long closing waits for bytes that the adapter has not sent: a 20×4 screen at 9600 baud needs 83 ms.
_DRAIN_S = 0.3
_DRAIN_STEP_S = 0.01


class SerialPort:
    """8 data bits, no parity, 1 stop bit, exclusive.

    Args:
        path: The node.
        baud: Bits a second.
        flow: ``rtscts`` or ``xonxoff`` by the kernel; anything else = none.
    """

    def __init__(self, path: str, *, baud: int, flow: str = "none") -> None:
        self._path = path
        self._baud = baud
        self._flow = flow

    @property
    def path(self) -> str:
        """Return the path of the node."""
        return self._path

    def acquire(self) -> int:
        """Open with both locks: pyserial's flock against programs that ask, TIOCEXCL against those that do not."""
        import serial  # noqa: PLC0415 - 12 ms and 3 MB that a till without serial devices does not pay

        port = serial.Serial(
            self._path,
            self._baud,
            timeout=0,
            exclusive=True,
            rtscts=self._flow == "rtscts",
            xonxoff=self._flow == "xonxoff",
        )
        try:
            # A duplicate keeps the open file with its lock and settings; pyserial's object has four more descriptors.
            fd = os.dup(port.fileno())
        finally:
            port.close()
        try:
            _claim(fd)
        except OSError:
            os.close(fd)
            raise
        except termios.error as error:
            os.close(fd)
            raise OSError(*error.args) from error
        return fd

    def release(self, fd: int) -> None:
        """Give what was written a moment to leave, drop the rest (close would wait 30 s for it), unlock, close."""
        with contextlib.suppress(OSError, termios.error):
            _drain(fd)
            termios.tcflush(fd, termios.TCIOFLUSH)
            fcntl.ioctl(fd, termios.TIOCNXCL)
        with contextlib.suppress(OSError):
            os.close(fd)


def _claim(fd: int) -> None:
    fcntl.ioctl(fd, termios.TIOCEXCL)
    attributes = termios.tcgetattr(fd)
    # VMIN=1: an empty read then means hang-up and nothing else; with pyserial's VMIN=0 it may also mean "no data".
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    # Whatever was scanned while nobody was listening is stale.
    termios.tcflush(fd, termios.TCIFLUSH)
    if os.get_blocking(fd):
        raise OSError(errno.EINVAL, "descriptor blocks")


def _drain(fd: int) -> None:
    for _ in range(int(_DRAIN_S / _DRAIN_STEP_S)):
        if struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0] == 0:
            return
        time.sleep(_DRAIN_STEP_S)
