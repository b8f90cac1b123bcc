"""The back office's wall clock, passed into everything that asks for the time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Returns the wall time, UTC-aware.
Now = Callable[[], datetime]


def system_now() -> datetime:
    """Return the host's wall time, UTC-aware."""
    return datetime.fromtimestamp(time.time(), UTC)
