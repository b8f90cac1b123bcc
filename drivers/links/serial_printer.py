"""A receipt printer on a serial line, with the flow control that its DIP switches choose.

``rtscts`` and ``xonxoff`` are the kernel's work. DTR/DSR, which most receipt printers ship with, Linux does not know:
the printer's DTR is our DSR, looked at before each small portion, since what the UART holds still goes out.
"""

import fcntl
import struct
import termios

from drivers.links import node
from drivers.links.serial_port import SerialPort

#: Written at once while DSR says "go": far less than the 128 bytes that a busy printer still takes (devices.md 9).
DSR_CHUNK_BYTES = 32
FLOWS = ("none", "rtscts", "xonxoff", "dsrdtr")


class SerialPrinterPort:
    """A serial node as `drivers.links.fd_printer.PrinterNode`."""

    has_port_status = False

    def __init__(self, path: str, *, baud: int, flow: str) -> None:
        self._port = SerialPort(path, baud=baud, flow=flow)
        self._has_dsr = flow == "dsrdtr"

    @property
    def path(self) -> str:
        """Return the path of the node."""
        return self._port.path

    @property
    def identity(self) -> str:
        """Return "": nothing is known of what hangs on the line."""
        return ""

    def is_present(self) -> bool:
        """Return whether the node is there."""
        return node.is_present(self._port.path)

    def acquire(self) -> int:
        """Open, lock, configure."""
        return self._port.acquire()

    def release(self, fd: int) -> None:
        """Give what was written a moment to leave, drop the rest, close."""
        self._port.release(fd)

    def port_status(self, fd: int) -> int | None:
        """Return None: a serial line has no such request."""
        return None

    def is_held(self, fd: int) -> bool:
        """Return whether DSR is low, or the UART has not sent the last portion yet."""
        return self._has_dsr and (not _has_dsr(fd) or self.unsent_bytes(fd) >= DSR_CHUNK_BYTES)

    def unsent_bytes(self, fd: int) -> int:
        """Return what waits in the kernel and the UART."""
        return node.unsent_bytes(fd)

    def is_end(self, fd: int) -> bool:
        """Return True: with VMIN = 1 an empty read is a hang-up and nothing else."""
        return True


def _has_dsr(fd: int) -> bool:
    """Return the line's state; a node without modem lines (a pty) never holds."""
    try:
        lines = int(struct.unpack("I", fcntl.ioctl(fd, termios.TIOCMGET, bytes(4)))[0])
    except OSError:
        return True
    return bool(lines & termios.TIOCM_DSR)
