"""A keyboard's event node, grabbed; or a FIFO that carries the same bytes (the bench).

Source: linux/input.h, linux/input-event-codes.h; the numbers are those of arm64 and amd64.
"""

import contextlib
import errno
import fcntl
import os
import stat
import struct
import time

#: `struct input_event`: 24 bytes on 64-bit kernels, 16 on 32-bit ones.
EVENT_FORMAT = "@llHHi"
_EV_SYN, _EV_LED = 0x00, 0x11
_LED_NUML = 0
_EVIOCGRAB = 0x40044590
_EVIOCSCLOCKID = 0x400445A0
_KEY_BYTES = 96  # KEY_CNT 0x300 bits
_EVIOCGKEY = 0x80004518 | _KEY_BYTES << 16
#: A key that is down while we grab stays down for the console for ever: give a finger time to leave.
_KEYS_UP_WAIT_S = 0.5
_KEYS_UP_STEP_S = 0.02


class EvdevPort:
    """One event node, named by the configuration; other keyboards are none of our business."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def path(self) -> str:
        """Return the path of the node."""
        return self._path

    def acquire(self) -> int:
        """Open and grab the node, or open the FIFO without waiting for its writer."""
        if stat.S_ISFIFO(os.stat(self._path).st_mode):  # noqa: PTH116 - runs in the opener thread, one call
            return _open_fifo(self._path)
        fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _grab(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def release(self, fd: int) -> None:
        """Close; the kernel ends the grab with it."""
        with contextlib.suppress(OSError):
            os.close(fd)


def keys_down(fd: int) -> frozenset[int]:
    """Return the codes of the keys that are down now (EVIOCGKEY); none on a FIFO, which cannot say."""
    try:
        bits = int.from_bytes(fcntl.ioctl(fd, _EVIOCGKEY, bytes(_KEY_BYTES)), "little")
    except OSError:
        return frozenset()
    return frozenset(code for code in range(_KEY_BYTES * 8) if bits >> code & 1)


def _open_fifo(path: str) -> int:
    """Open a FIFO whose writer is the keypad: no writer = not plugged in; unread keys are stale and dropped."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while os.read(fd, 65_536):
            pass
    except BlockingIOError:
        return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), path)


def _grab(fd: int) -> None:
    try:
        _wait_keys_up(fd)
        fcntl.ioctl(fd, _EVIOCGRAB, 1)
        fcntl.ioctl(fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
    except OSError as error:
        if error.errno != errno.ENOTTY:
            raise
        return
    # A grab takes NumLock out of the kernel's hands: pads that follow the host's LED would send cursor keys.
    led = struct.pack(EVENT_FORMAT, 0, 0, _EV_LED, _LED_NUML, 1) + struct.pack(EVENT_FORMAT, 0, 0, _EV_SYN, 0, 0)
    with contextlib.suppress(OSError):  # a pad without LEDs
        os.write(fd, led)


def _wait_keys_up(fd: int) -> None:
    for _ in range(int(_KEYS_UP_WAIT_S / _KEYS_UP_STEP_S)):
        if not any(fcntl.ioctl(fd, _EVIOCGKEY, bytes(_KEY_BYTES))):
            return
        time.sleep(_KEYS_UP_STEP_S)
