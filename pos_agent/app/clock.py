"""The real clock (D19). The only module that reads wall time; the daemon never sets it."""

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

#: Linux: the kernel's clock is synchronised (adjtimex returns anything but TIME_ERROR).
#: Source: adjtimex(2), TIME_ERROR = 5.
_TIME_ERROR = 5
#: sizeof(struct timex) is 208 on 64-bit Linux.
_TIMEX_BYTES = 512
#: A clock this near to a signed time is right enough for a refund window of days and for the time on a slip.
MAX_SKEW_S = 60.0
#: How long the kernel's answer is believed: keys ask more often than it changes.
_ASK_AGAIN_S = 10.0


class SystemClock:
    """Reads the kernel's clocks.

    Trusted while the kernel says that it is synchronised, or while it agrees with a signed time of the back office
    that was given in this boot: many shop networks block NTP.
    """

    def __init__(self) -> None:
        self._signed_offset_s: float | None = None
        self._asked_at_s = float("-inf")
        self._is_kernel_synchronised = False

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
        """Return whether wall time can be believed; see the class."""
        if self._signed_offset_s is not None:
            signed_now_s = self.boottime_s() + self._signed_offset_s
            if abs(time.time() - signed_now_s) <= MAX_SKEW_S:
                return True
        if time.monotonic() - self._asked_at_s > _ASK_AGAIN_S:
            self._asked_at_s = time.monotonic()
            self._is_kernel_synchronised = _ask_kernel()
        return self._is_kernel_synchronised

    def note_signed_time(self, at: datetime) -> None:
        """Take the back office's signed time, just given in answer to this boot; the clock itself is never set."""
        self._signed_offset_s = at.timestamp() - self.boottime_s()


def _ask_kernel() -> bool:
    # modes = 0 only reads, so no privilege is needed.
    adjtimex = _adjtimex()
    return adjtimex is not None and int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))) not in (-1, _TIME_ERROR)


@cache
def _adjtimex() -> Callable[[Any], int] | None:
    try:
        function: Callable[[Any], int] = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    return function
