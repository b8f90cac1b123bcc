"""Where the journal lies: is it real storage, who owns it, what was set aside."""

import fcntl
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from pos_agent.errors import JournalCorruptError, JournalError, JournalFullError

_log = logging.getLogger(__name__)
JOURNAL_FILE: Final = "journal.db"
DRAFT_FILE: Final = "draft.db"
_LOCK_FILE: Final = "journal.lock"
_SET_ASIDE: Final = "journal.corrupt-"
_RELEASED: Final = ".released"
ALLOW_VOLATILE: Final = "POS_AGENT_ALLOW_VOLATILE"
#: File systems that forget what they acknowledged as flushed (field.md 5).
_VOLATILE: Final = frozenset({"tmpfs", "ramfs", "overlay"})


def file_system_type(folder: Path, mountinfo: str) -> str:
    """Return the type of the file system that holds `folder`, empty if it is not in `mountinfo`.

    Source:
        proc(5), /proc/pid/mountinfo: field 3 is major:minor of st_dev, the field after the lone dash is the type.
    """
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1]
    return ""


def refuse_volatile(folder: Path) -> None:
    """Raise JournalError on tmpfs, ramfs or overlay, unless the environment allows it (I8)."""
    if os.environ.get(ALLOW_VOLATILE) == "1":
        return
    kind = file_system_type(folder, Path("/proc/self/mountinfo").read_text())
    if kind in _VOLATILE:
        raise JournalError(f"journal folder {folder} is on {kind}: it would forget requests at power-off")


def make_folder(folder: Path) -> None:
    """Create the folder, private to the service user."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalFullError(f"journal folder: {error}") from error


def lock(folder: Path) -> int:
    """Take the journal for this process; return the descriptor that holds the lock.

    Raises:
        JournalError: Another process owns it.
    """
    try:
        descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalFullError(f"journal lock: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError("the journal is owned by another process") from error
    return descriptor


def refuse_after_set_aside(folder: Path) -> None:
    """Raise JournalCorruptError while a damaged journal waits for a person: nothing is recreated over it."""
    for path in sorted(folder.glob(f"{_SET_ASIDE}*.db")):
        if not path.with_name(path.name + _RELEASED).exists():
            raise JournalCorruptError(f"damaged journal {path.name} waits; unsent requests may be in it")


def set_aside(folder: Path, at: datetime) -> Path:
    """Rename the damaged journal with its WAL; return the new path."""
    stem = f"{_SET_ASIDE}{at:%Y%m%dT%H%M%S}"
    number, target = 0, folder / f"{stem}.db"
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}.db"
    for ending in ("", "-wal", "-shm"):
        source = folder / (JOURNAL_FILE + ending)
        if source.exists():
            source.rename(target.with_name(target.name + ending))
    _log.error("journal damaged set_aside=%s", target.name)
    return target


def release_set_aside(folder: Path) -> int:
    """A person has dealt with the damaged journals: allow a new one; return how many were released."""
    count = 0
    for path in folder.glob(f"{_SET_ASIDE}*.db"):
        marker = path.with_name(path.name + _RELEASED)
        if not marker.exists():
            marker.touch()
            count += 1
    return count
