"""Who has a device node open: read from /proc, where we may look. Nothing is opened and nothing is sent.

Source: proc(5), /proc/PID/fd: links to the open files, readable by the same user and by root.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """A process that has the node open."""

    pid: int
    name: str


class OpenFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Device nodes that are open now.

    Attributes:
        by_path: Who has each node open, by its real path below /dev.
        is_complete: Every process could be looked into; False: nobody seen is not nobody there.
    """

    by_path: Mapping[str, tuple[Holder, ...]]
    is_complete: bool


def open_files(proc: Path = Path("/proc")) -> OpenFiles:
    """Return who has which node below /dev open, without this process."""
    found: dict[str, dict[int, Holder]] = {}
    is_complete = True
    for folder in sorted(proc.iterdir() if proc.is_dir() else ()):
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            targets = {str(link.readlink()) for link in (folder / "fd").iterdir()}
        except PermissionError:
            is_complete = False
            continue
        except OSError:  # it ended meanwhile
            continue
        for target in targets:
            if target.startswith("/dev/"):
                pid = int(folder.name)
                found.setdefault(target, {})[pid] = Holder(pid, _name(folder))
    return OpenFiles(by_path={path: tuple(by.values()) for path, by in found.items()}, is_complete=is_complete)


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
