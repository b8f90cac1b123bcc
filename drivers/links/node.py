"""Opening and closing as every link does it: in the opener thread, under a deadline, in words of our own."""

import fcntl
import logging
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from drivers.links.faults import open_error
from drivers.links.opener import Opener, PortStuckError
from pos_agent.errors import DeviceTimeoutError, NoHardwareError

_log = logging.getLogger(__name__)
#: Opening is a few USB control transfers; a wedged adapter needs 5 s for one.
OPEN_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 1.5


class Closable(Protocol):
    """What can be given back."""

    @property
    def path(self) -> str:
        """Return the path of the node or the address, for messages and for the quarantine."""

    def release(self, fd: int) -> None:
        """Undo the opening and close; never raises. Runs in the opener thread."""


class Port(Closable, Protocol):
    """The blocking side of a device node; both methods run in the opener thread."""

    def acquire(self) -> int:
        """Open, claim and configure; return a non-blocking descriptor that the caller owns.

        Raises:
            OSError: As the system says it.
        """


def is_present(path: str) -> bool:
    """Return whether a node is there: the common case while unplugged costs one stat, not a thread."""
    return os.path.exists(path)  # noqa: PTH110 - once every 2 s: without a Path object


async def open_node(device: str, port: Port, opener: Opener) -> int:
    """Open a device node; return a descriptor that the caller gives back with `release`.

    Raises:
        NoHardwareError: It is not there (yet).
        ClaimedError, FailureError, DeviceTimeoutError: See `open_faults`.
    """
    if not is_present(port.path):
        raise NoHardwareError(device, f"{port.path} does not exist")
    with open_faults(device, port.path):
        return await acquire(port, opener)


async def acquire(port: Port, opener: Opener) -> int:
    """Run `port.acquire` in the opener thread; what comes too late is given back.

    Raises:
        OSError, PortStuckError: See `open_faults`.
    """
    return await opener.run(port.acquire, port=port.path, timeout_s=OPEN_TIMEOUT_S, discard=port.release)


@contextmanager
def open_faults(device: str, path: str) -> Iterator[None]:
    """Say what the system says of an opening.

    Raises:
        NoHardwareError, ClaimedError, FailureError: As the system says; a retry helps when that has changed.
        DeviceTimeoutError: The port hangs.
    """
    try:
        yield
    except PortStuckError as error:
        raise DeviceTimeoutError(device, str(error)) from error
    except OSError as error:
        raise open_error(device, path, error) from error


async def release(device: str, port: Closable, fd: int, opener: Opener) -> None:
    """Run `port.release` in the opener thread; returns within 1.5 s even if the kernel does not."""
    try:
        await opener.run(partial(port.release, fd), port=port.path, timeout_s=CLOSE_TIMEOUT_S, must_run=True)
    except PortStuckError as error:
        _log.warning("device=%s close=%s", device, error)


def unsent_bytes(fd: int) -> int:
    """Return what the kernel still keeps of what it took; 0 where it cannot tell.

    Source: tty_ioctl(4), TIOCOUTQ; tcp(7), SIOCOUTQ, which is the same request.
    """
    try:
        return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0
