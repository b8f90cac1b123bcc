"""Files of the identity: whole or not at all, readable by the till alone, and never a key beside a foreign certificate.

A key and its certificate are two files, and no rename covers both. So both are written beside first; the new
certificate's name beside is the point of no return, and `finish` goes on from there whenever the power was cut.
"""

import contextlib
import os
from pathlib import Path

_NEW = ".new"


def write_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file; after a power cut it is the old one or the new one.

    It gets the owner of its folder: a technician who is root writes for the daemon's user.

    Raises:
        OSError: The disk refuses.
    """
    beside = path.with_name(f".{path.name}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(descriptor, mode)
        _give(descriptor, path.parent)
        os.fsync(descriptor)
    beside.replace(path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that its owner alone may read, with the owner of the folder above.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True)
        _give(path, path.parent)


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


def _give(target: int | Path, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(target, owner.st_uid, owner.st_gid)


def install(cert_file: Path, certificate: bytes, key_file: Path, key: bytes) -> None:
    """Replace a certificate and its key together.

    Raises:
        OSError: The disk refuses; then the old pair stands, or `finish` brings the new one.
    """
    write_file(_beside(key_file), key)
    write_file(_beside(cert_file), certificate)
    finish(cert_file, key_file)


def finish(cert_file: Path, key_file: Path) -> bool:
    """Go on with an `install` that a power cut ended; return whether there was one.

    Raises:
        OSError: The disk refuses.
    """
    if not _beside(cert_file).exists():
        return False  # a key without its certificate is left alone: somebody may be about to write it
    for path in (key_file, cert_file):
        with contextlib.suppress(FileNotFoundError):  # done before the cut, or by another process just now
            _beside(path).replace(path)
        sync_folder(path.parent)
    return True


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _NEW)
