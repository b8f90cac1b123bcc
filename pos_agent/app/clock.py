"""The real clock (D19). The only module that reads wall time; the daemon never sets it."""

import ctypes
import time
from datetime import UTC, datetime

#: Linux: the kernel's clock is synchronised (adjtimex returns anything but TIME_ERROR).
#: Source: adjtimex(2), TIME_ERROR = 5.
_TIME_ERROR = 5


class SystemClock:
    """Reads the kernel's clocks; trusted while the kernel says that NTP has synchronised it."""

    def __init__(self, *, floor: datetime | None = None) -> None:
        self._floor = floor

    def now(self) -> datetime:
        """Return wall time in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def monotonic_s(self) -> float:
        """Return CLOCK_MONOTONIC."""
        return time.monotonic()

    def boottime_s(self) -> float:
        """Return CLOCK_BOOTTIME: goes on in suspend, starts at power-on."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def is_trusted(self) -> bool:
        """Return True if the kernel says synchronised and the time is not before what we know to be past."""
        if self._floor is not None and self.now() < self._floor:
            return False
        return _is_kernel_synchronised()


def _is_kernel_synchronised() -> bool:
    # struct timex is at most 208 bytes on Linux; modes = 0 only reads, so no privilege is needed.
    buffer = ctypes.create_string_buffer(512)
    try:
        return int(ctypes.CDLL(None).adjtimex(buffer)) not in (-1, _TIME_ERROR)
    except (OSError, AttributeError):
        return False
