"""Where the journal lies: is it real storage, who owns it, what was set aside."""

import errno
import fcntl
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from pos_agent.errors import JournalCorruptError, JournalError, JournalFullError
from pos_agent.journal._errors import CODE_FULL, CODE_READ_ONLY, CODE_VOLATILE

_log = logging.getLogger(__name__)
JOURNAL_FILE: Final = "journal.db"
DRAFT_FILE: Final = "draft.db"
_LOCK_FILE: Final = "journal.lock"
_SET_ASIDE: Final = "journal.corrupt-"
_RELEASED: Final = ".released"
_DAMAGED: Final = "journal.damaged"
ALLOW_VOLATILE: Final = "POS_AGENT_ALLOW_VOLATILE"
_CODES: Final = {errno.ENOSPC: CODE_FULL, errno.EDQUOT: CODE_FULL, errno.EROFS: CODE_READ_ONLY}
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
        raise JournalError(
            f"journal folder {folder} is on {kind}: it would forget requests at power-off", code=CODE_VOLATILE
        )


def refused(what: str, error: OSError) -> JournalFullError:
    """Return the journal's own error for one of the operating system's."""
    code = _CODES.get(error.errno or 0, JournalFullError.code)
    return JournalFullError(f"{what}: {error}", code=code)


def make_folder(folder: Path) -> None:
    """Create the folder, private to the service user."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refused("journal folder", error) from error


def lock(folder: Path) -> int:
    """Take the journal for this process; return the descriptor that holds the lock.

    Raises:
        JournalError: Another process owns it.
    """
    try:
        descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refused("journal lock", error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError("the journal is owned by another process") from error
    return descriptor


def refuse_after_set_aside(folder: Path) -> None:
    """Raise JournalCorruptError while a damaged journal waits for a person: nothing is recreated over it."""
    for path in waiting_set_aside(folder):
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


def waiting_set_aside(folder: Path) -> list[Path]:
    """Return the damaged journals that nobody has dealt with."""
    found = sorted(folder.glob(f"{_SET_ASIDE}*.db"))
    return [path for path in found if not path.with_name(path.name + _RELEASED).exists()]


def release_set_aside(folder: Path, note: str = "") -> list[str]:
    """Somebody has dealt with the damaged journals: allow a new one; return their names. They are kept.

    Args:
        folder: Of the journal.
        note: Who and why; kept beside each, and told to the audit chain of the next journal.
    """
    released = []
    for path in waiting_set_aside(folder):
        marker = path.with_name(path.name + _RELEASED)
        with marker.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        released.append(path.name)
    return released


def untold_releases(folder: Path) -> list[tuple[str, str]]:
    """Return (name, note) of releases that no audit chain has heard of."""
    markers = sorted(folder.glob(f"{_SET_ASIDE}*{_RELEASED}"))
    return [(path.name.removesuffix(_RELEASED), path.read_text("utf-8")) for path in markers if path.stat().st_size]


def mark_told(folder: Path, name: str) -> None:
    """The release of a damaged journal stands in the audit chain."""
    (folder / (name + _RELEASED)).write_bytes(b"")


def mark_damaged(folder: Path) -> None:
    """Let the next start read every page, however large the journal is."""
    try:
        (folder / _DAMAGED).touch()
    except OSError as error:
        _log.error("journal damage not marked error=%s", error)


def take_damage_mark(folder: Path) -> bool:
    """Return whether `mark_damaged` was called since; forget it."""
    try:
        (folder / _DAMAGED).unlink()
    except OSError:
        return False
    return True
