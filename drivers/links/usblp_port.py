"""A USB printer through the kernel's usblp driver, ``/dev/usb/lpN``: pollable, so it needs no thread of its own.

One write is one USB request of at most 8 KiB; the next is refused until the printer has taken it. Closing kills a
request that is under way, so it is waited for. Source: Linux drivers/usb/class/usblp.c.
"""

import contextlib
import fcntl
import os
import select
import struct
from pathlib import Path

from drivers.links import node
from drivers.links.usb_device import UsbAddress, text_of_device_id
from drivers.links.usb_identity import identity_key, lasting_fields

#: Source: linux/lp.h, LPGETSTATUS; the byte is GET_PORT_STATUS of the printer class.
_LPGETSTATUS = 0x060B
_ID_BYTES = 1024
#: Source: usblp.c, LPIOC_GET_DEVICE_ID(len) = _IOC(_IOC_READ, 'P', 1, len).
_LPIOC_GET_DEVICE_ID = 2 << 30 | _ID_BYTES << 16 | ord("P") << 8 | 1
#: How long closing waits for the last request: longer means that the printer takes nothing.
_CLOSE_WAIT_MS = 300
_SYSFS = Path("/sys/class/usbmisc")
_DEV = Path("/dev")


class UsblpPort:
    """One node of usblp; the kernel lets one process in at a time."""

    has_port_status = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = ""
        self._last_count = 0

    @property
    def path(self) -> str:
        """Return the path of the node."""
        return self._path

    @property
    def identity(self) -> str:
        """Return the key of `drivers.links.usb_identity`; "" where nothing is known."""
        return self._identity

    def is_present(self) -> bool:
        """Return whether the node is there."""
        return node.is_present(self._path)

    def acquire(self) -> int:
        """Open the node."""
        fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        self._identity = read_identity(self._path, read_device_id(fd))
        return fd

    def release(self, fd: int) -> None:
        """Let the last request finish, then close."""
        with contextlib.suppress(OSError):
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll(_CLOSE_WAIT_MS)
        with contextlib.suppress(OSError):
            os.close(fd)

    def port_status(self, fd: int) -> int | None:
        """Return the status byte; None if the printer does not answer, or this is no usblp node."""
        try:
            return int(struct.unpack("i", fcntl.ioctl(fd, _LPGETSTATUS, bytes(4)))[0]) & 0xFF
        except OSError:
            return None

    def is_held(self, fd: int) -> bool:
        """Return False: the kernel knows."""
        return False

    def unsent_bytes(self, fd: int) -> int:
        """Return 1 while a request is under way; how much of it has arrived is not known."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        return 0 if poll.poll(0) else 1

    def is_end(self, fd: int) -> bool:
        """Return whether the node hung up; an empty read alone may be a packet of length zero."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))


def read_device_id(fd: int) -> str:
    """Return the IEEE 1284 device id, "" if the printer or the node has none."""
    try:
        answer = fcntl.ioctl(fd, _LPIOC_GET_DEVICE_ID, bytes(_ID_BYTES))
    except OSError:
        return ""
    return text_of_device_id(answer)


def read_identity(path: str, device_id: str, *, sysfs: Path = _SYSFS) -> str:
    """Return which printer a node of usblp belongs to; as much as it says itself where sysfs does not know the node."""
    device = (sysfs / Path(path).resolve().name / "device").resolve().parent
    try:
        return identity_key(
            vendor_id=int(_line(device / "idVendor"), 16),
            product_id=int(_line(device / "idProduct"), 16),
            bcd_device=int(_line(device / "bcdDevice"), 16),
            serial=_line(device / "serial"),
            device_id=device_id,
            socket=_line(device / "devpath"),
        )
    except (OSError, ValueError):
        return lasting_fields(device_id)


def find_usblp(address: UsbAddress, *, sysfs: Path = _SYSFS, dev: Path = _DEV) -> str:
    """Return the node that usblp made for this device, "" if it has not bound it.

    The interface's folder is linked as ``device``; vendor, product and serial number stand one level up.
    """
    for entry in sorted(sysfs.glob("lp[0-9]*")):
        device = (entry / "device").resolve().parent
        try:
            ids = (int(_line(device / "idVendor"), 16), int(_line(device / "idProduct"), 16))
        except (OSError, ValueError):
            continue
        if ids != (address.vendor_id, address.product_id):
            continue
        if address.serial and _line(device / "serial") != address.serial:
            continue
        return str(dev / "usb" / entry.name)
    return ""


def _line(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
