"""Files that are replaced whole: after a power cut there is the old one or the new one, never a half."""

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, is_durable: bool = True) -> None:
    """Replace a file in one step. It gets the owner of its folder: root writes what the daemon's user reads.

    Args:
        path: In a folder that exists.
        data: Its new content.
        mode: Who may read it.
        is_durable: Whether the new content must survive a power cut from now on. False spares an SD card a flush;
            then the file can be empty after a cut, and its reader must cope.
    Raises:
        OSError: The disk is full or read-only; the old file stands.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            give_to_owner_of(path.parent, descriptor)
            if is_durable:
                os.fsync(descriptor)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if is_durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable.

    Raises:
        OSError: The disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner_of(folder: Path, target: int | Path) -> None:
    """Give a file or a folder that root makes to the owner of a folder.

    Raises:
        OSError: The disk refuses.
    """
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(target, owner.st_uid, owner.st_gid)
