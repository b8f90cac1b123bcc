"""The folder of incident files: few, small, for their owner alone (see `pos_agent.workflow.recorder`)."""

import contextlib
import os
from pathlib import Path
from typing import Final

MAX_FILES: Final = 10
MAX_BYTES: Final = 1_000_000
_PREFIX: Final = "incident-"


class IncidentFolder:
    """Keeps the newest `MAX_FILES` incidents.

    Args:
        folder: Made when the first one is saved.
    """

    max_bytes = MAX_BYTES

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, data: bytes) -> str:
        """Write an incident and drop the oldest; no flush, the till goes on. Return the file's name.

        Raises:
            OSError: The disk is full or read-only.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        names = self._names()
        number = int(names[-1].removeprefix(_PREFIX).removesuffix(".jsonl")) + 1 if names else 1
        name = f"{_PREFIX}{number:06d}.jsonl"
        path = self._folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        for old in [*names, name][:-MAX_FILES]:
            with contextlib.suppress(OSError):
                (self._folder / old).unlink()
        return name

    def _names(self) -> list[str]:
        found = (path.name for path in self._folder.glob(f"{_PREFIX}*.jsonl"))
        return sorted(name for name in found if name.removeprefix(_PREFIX).removesuffix(".jsonl").isdigit())
