"""Files of the identity: whole or not at all, readable by the till alone, and never a key beside a foreign certificate.

A key and its certificate are two files, and no rename covers both. So both are written beside first; the new
certificate's name beside is the point of no return, and `finish` goes on from there whenever the power was cut.
"""

import contextlib
from pathlib import Path

from pos_agent.files import give_to_owner_of, replace_file, sync_folder

_NEW = ".new"


def make_folder(path: Path) -> None:
    """Make a folder that its owner alone may read, with the owner of the folder above.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True)
        give_to_owner_of(path.parent, path)


def install(cert_file: Path, certificate: bytes, key_file: Path, key: bytes) -> None:
    """Replace a certificate and its key together.

    Raises:
        OSError: The disk refuses; then the old pair stands, or `finish` brings the new one.
    """
    replace_file(_beside(key_file), key)
    replace_file(_beside(cert_file), certificate)
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
