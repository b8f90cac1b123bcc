"""The reserve: a file of 16 MiB that is given back when the disk is full, so that what was begun can be finished."""

import logging
import os
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
RESERVE_FILE: Final = "journal.reserve"
#: trust.md 25: covers the open requests of a full disk; a commit with two slips takes about 80 kB.
RESERVE_BYTES: Final = 16 << 20
#: Below this the menu takes no refund (trust.md 25).
LEAST_FREE_BYTES: Final = 16 << 20
#: Made (again) only when so much stays free besides, so that it is not made and given back by turns.
_FREE_AFTER_BYTES: Final = 2 * LEAST_FREE_BYTES


class Reserve:
    """The reserve of one folder; used on the writer thread only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / RESERVE_FILE

    @property
    def stands(self) -> bool:
        """Return True if the whole reserve is there."""
        try:
            return self._path.stat().st_size >= RESERVE_BYTES
        except OSError:
            return False

    def free_bytes(self) -> int:
        """Return what the file system has left for us, without the reserve.

        Raises:
            OSError: It does not even answer.
        """
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def is_read_only(self) -> bool:
        """Return True if the file system takes no writes at all."""
        return bool(os.statvfs(self._folder).f_flag & os.ST_RDONLY)

    def make(self) -> bool:
        """Make the reserve if there is room; return whether it stands."""
        if self.stands:
            return True
        try:
            if self.free_bytes() < RESERVE_BYTES + _FREE_AFTER_BYTES:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            _log.warning("journal reserve not made error=%s", error)
            return False
        return True

    def give_back(self) -> bool:
        """Give the room back to what must be written now; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        _log.error("journal disk is full: reserve given back")
        return True
