"""Says when a device node has gone, for devices that the event loop cannot poll. No timer, no thread."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from drivers.links.inotify import DELETE, MOVED_FROM, watch_folder


class NodeWatch:
    """Watches the folder of a node while attached to the running event loop.

    Args:
        path: Of the node; may be a symbolic link.
        on_gone: Called once when no file is at `path` any more.
    Raises:
        OSError: No watch is left (``fs.inotify.max_user_instances``).
    """

    def __init__(self, path: str, on_gone: Callable[[], None]) -> None:
        self._path = Path(path)
        self._on_gone = on_gone
        self._fd = watch_folder(self._path.parent, MOVED_FROM | DELETE)
        asyncio.get_running_loop().add_reader(self._fd, self._on_readable)

    def close(self) -> None:
        """Stop watching; idempotent."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _on_readable(self) -> None:
        try:
            os.read(self._fd, 65_536)
        except BlockingIOError:
            return
        if not self._path.exists():
            self.close()
            self._on_gone()
