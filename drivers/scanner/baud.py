"""Finding out who sits on a serial port, and at which speed. For commissioning: it sends to the port that it is told.

A USB CDC unit ignores the speed and answers at the first; a real UART answers at one only. Who answers nothing is
listened to while the technician scans: the speed at which the bytes read as text is the right one. What is heard may be
a payment code: only a ratio leaves this module.
"""

import contextlib
import os
import select
import termios
import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from drivers.links.serial_port import SerialPort
from drivers.scanner.table import ScannerRow

#: The usual first. Source: devices.md section 3.
BAUDS: Final = (9600, 115_200, 57_600, 38_400, 19_200)
#: How long an answer may take. Source: Newland manual, 500 ms; others are faster.
ANSWER_S: Final = 0.5
#: Fewer bytes say nothing about a speed.
_MIN_HEARD_BYTES: Final = 6
_MIN_PRINTABLE: Final = 0.9
#: A pause that ends an answer.
_GAP_S: Final = 0.05


class BaudFound(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered, and at which speed; `family` is empty if it was only heard."""

    baud: int
    family: str = ""


def search_baud(
    path: str,
    *,
    rows: Sequence[ScannerRow],
    bauds: Sequence[int] = BAUDS,
    answer_s: float = ANSWER_S,
) -> BaudFound | None:
    """Ask every family at every speed; blocks for at most rows × speeds × `answer_s`.

    Args:
        path: The port that a person named.
        rows: Families to ask, in this order.
        bauds: Speeds to try, in this order.
        answer_s: How long to wait for an answer.
    Returns:
        The first that answered as its family does; None if nobody did.
    Raises:
        OSError: The port cannot be opened, or went away.
    """
    for baud in bauds:
        with _opened(path, baud) as fd:
            for row in rows:
                os.write(fd, row.identify.request)
                if row.identify.is_answered_by(_read(fd, answer_s)):
                    return BaudFound(baud=baud, family=row.id)
    return None


def listen_baud(path: str, *, bauds: Sequence[int] = BAUDS, listen_s: float = 10.0) -> BaudFound | None:
    """Listen at each speed while somebody scans; sends nothing.

    Args:
        path: The port that a person named.
        bauds: Speeds to try, in this order.
        listen_s: How long to wait for a scan at each.
    Returns:
        The first speed at which a scan read as text; None if none did.
    Raises:
        OSError: The port cannot be opened, or went away.
    """
    for baud in bauds:
        with _opened(path, baud) as fd:
            if printable_ratio(_read(fd, listen_s)) >= _MIN_PRINTABLE:
                return BaudFound(baud=baud)
    return None


def printable_ratio(data: bytes) -> float:
    """Return how much of `data` is ASCII text or a line end; 0 for too few bytes."""
    if len(data) < _MIN_HEARD_BYTES:
        return 0.0
    return sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in data) / len(data)


@contextlib.contextmanager
def _opened(path: str, baud: int) -> Iterator[int]:
    port = SerialPort(path, baud=baud)
    fd = port.acquire()
    try:
        termios.tcflush(fd, termios.TCIOFLUSH)
        yield fd
    finally:
        port.release(fd)


def _read(fd: int, timeout_s: float) -> bytes:
    """Return what comes until a pause; empty if nothing comes in time."""
    data = b""
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        ready, _, _ = select.select([fd], [], [], min(left_s, _GAP_S) if data else left_s)
        if not ready:
            return data
        data += os.read(fd, 4096)
    return data
