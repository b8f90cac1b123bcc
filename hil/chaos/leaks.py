"""Searches files for PINs and payment codes (I7)."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path


def find_secrets(folder: Path, secrets: Sequence[str], *, but: frozenset[str] = frozenset()) -> list[str]:
    """Return the files below a folder in which a secret stands, by relative name.

    A number inside a longer one is chance, not a PIN.

    Args:
        folder: All of it is searched.
        secrets: Digits.
        but: Names of files that are left out.
    """
    wanted = re.compile(rb"(?<!\d)(?:%s)(?!\d)" % "|".join(secrets).encode())
    found = []
    for file in sorted(folder.rglob("*")):
        # A file of a running process may go while we look.
        with contextlib.suppress(FileNotFoundError):
            if file.is_file() and file.name not in but and wanted.search(file.read_bytes()):
                found.append(str(file.relative_to(folder)))
    return found
