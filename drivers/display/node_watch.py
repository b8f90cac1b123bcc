"""Says when a device node has gone, for devices that the event loop cannot poll. No timer, no thread.

Source: inotify(7); linux/inotify.h. devtmpfs reports the removal of a node like any other file system.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_IN_MOVED_FROM, _IN_DELETE = 0x40, 0x200


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
        self._fd = _watch(self._path.parent)
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


def _watch(folder: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(fd, os.fsencode(folder), _IN_MOVED_FROM | _IN_DELETE) < 0:
        code = ctypes.get_errno()
        os.close(fd)
        raise OSError(code, os.strerror(code), str(folder))
    return fd
