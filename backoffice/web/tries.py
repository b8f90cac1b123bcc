"""How often one address may fail to sign in: beside the lock of an account, against guessing one password at many."""

from collections import deque
from datetime import datetime, timedelta

#: Failures of one address within the window.
MAX_FAILURES = 20
WINDOW = timedelta(minutes=5)
#: Addresses that are remembered; the oldest are forgotten first.
_ADDRESSES = 10_000


class Tries:
    """Failed sign-ins by address, in memory: a restart forgives, the lock of an account does not."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[datetime]] = {}

    def is_too_many(self, address: str, now: datetime) -> bool:
        """Return True if an address must wait."""
        failed = self._failed.get(address)
        while failed and failed[0] <= now - WINDOW:
            failed.popleft()
        return failed is not None and len(failed) >= MAX_FAILURES

    def note_failure(self, address: str, now: datetime) -> None:
        """Count a failed try."""
        self._failed.setdefault(address, deque(maxlen=MAX_FAILURES)).append(now)
        while len(self._failed) > _ADDRESSES:
            self._failed.pop(next(iter(self._failed)))
