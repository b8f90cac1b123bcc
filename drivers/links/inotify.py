"""Watches a folder for the event loop. No timer, no thread.

Source: inotify(7); linux/inotify.h. devtmpfs reports nodes that come and go like any other file system.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

ATTRIB: Final = 0x04
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200


def watch_folder(folder: Path, mask: int) -> int:
    """Return a non-blocking descriptor that is readable after one of these events in `folder`.

    Raises:
        OSError: No such folder, or no watch is left (``fs.inotify.max_user_instances``).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(fd, os.fsencode(folder), mask) < 0:
        code = ctypes.get_errno()
        os.close(fd)
        raise OSError(code, os.strerror(code), str(folder))
    return fd
