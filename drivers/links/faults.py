"""From an operating system error to the device error that says what to do; done once, at this boundary."""

import errno
import os
import socket

from pos_agent.errors import ClaimedError, DeviceError, FailureError, NoHardwareError, OfflineError

_GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOTDIR})
#: A network printer that is off, away, or serves another host.
_UNREACHABLE = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN})
_HELD = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


def open_error(device: str, path: str, error: OSError) -> DeviceError:
    """Return the device error for an `OSError` while opening `path`."""
    if isinstance(error, socket.gaierror):  # its numbers are getaddrinfo's own, not errno's
        return NoHardwareError(device, f"cannot find {path}: {error.strerror}")
    reason = os.strerror(error.errno) if error.errno else str(error)
    message = f"cannot open {path}: {reason}"
    if error.errno in _GONE | _UNREACHABLE:
        return NoHardwareError(device, message)
    if error.errno in _HELD:
        return ClaimedError(device, f"{message}; another process holds it")
    if error.errno in _FORBIDDEN:
        return FailureError(device, f"{message}; is the service in the groups dialout, input, lp and tty?")
    return FailureError(device, message)


def lost_error(device: str, path: str, error: OSError | None) -> OfflineError:
    """Return the device error for a hang-up of an open device; `error` None = end of file."""
    reason = "hung up" if error is None or not error.errno else os.strerror(error.errno)
    return OfflineError(device, f"{path} {reason}")
