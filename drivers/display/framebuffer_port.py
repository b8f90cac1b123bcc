"""The blocking side of a framebuffer: open, ask for its geometry, take the console off the screen, clear.

Source: linux/fb.h (`fb_var_screeninfo`, `fb_fix_screeninfo`, FBIOGET_VSCREENINFO, FBIOGET_FSCREENINFO, FBIOBLANK),
linux/kd.h (KDSETMODE).
"""

import contextlib
import errno
import fcntl
import logging
import os
import stat
import struct

from drivers.display.geometry import Framebuffer, parse_geometry

_log = logging.getLogger(__name__)
_FBIOGET_VSCREENINFO, _FBIOGET_FSCREENINFO, _FBIOBLANK = 0x4600, 0x4602, 0x4611
_FB_BLANK_UNBLANK = 0
_KDSETMODE, _KD_TEXT, _KD_GRAPHICS = 0x4B3A, 0x00, 0x01
# xres, yres, xres_virtual, yres_virtual, xoffset, yoffset, bits_per_pixel, more.
_VARIABLE = struct.Struct("=7I132x")
# id, smem_start, smem_len, type, type_aux, visual, xpanstep, ypanstep, ywrapstep, line_length, more.
_FIXED = struct.Struct("@16sLIIIIHHHILII3H0L")
_LINE_LENGTH = 9


class FramebufferPort:
    """A framebuffer node, or a plain file of the same bytes.

    Args:
        path: ``/dev/fb0``.
        console: Terminal whose text would draw over ours, such as ``/dev/tty1``; empty = none.
        geometry: Of a plain file, such as ``800x480x16``; nodes say it themselves.
    """

    def __init__(self, path: str, *, console: str = "", geometry: str = "") -> None:
        self._path = path
        self._console_path = console
        self._console = -1
        self._geometry = parse_geometry(geometry) if geometry else None

    @property
    def path(self) -> str:
        """Return the path of the node."""
        return self._path

    def acquire(self) -> int:
        """Open, lock, silence the console, switch the panel on, clear it.

        Raises:
            OSError: As the system says it.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            framebuffer = self.ask(fd)
            self._take_console()
            # Not every driver blanks, and a plain file does not.
            with contextlib.suppress(OSError):
                fcntl.ioctl(fd, _FBIOBLANK, _FB_BLANK_UNBLANK)
            _clear(fd, framebuffer)
        except BaseException:
            self.release(fd)
            raise
        return fd

    def ask(self, fd: int) -> Framebuffer:
        """Return the geometry now; it changes when another mode is set.

        Raises:
            OSError: The device is gone, or it is a plain file without a configured geometry.
        """
        if stat.S_ISREG(os.fstat(fd).st_mode):
            if self._geometry is None:
                raise OSError(errno.ENOTTY, "a plain file needs `geometry`", self._path)
            return self._geometry
        width, height, _, _, x_offset, y_offset, bits = _VARIABLE.unpack(
            fcntl.ioctl(fd, _FBIOGET_VSCREENINFO, bytes(_VARIABLE.size))
        )
        fixed = _FIXED.unpack(fcntl.ioctl(fd, _FBIOGET_FSCREENINFO, bytes(_FIXED.size)))
        stride = fixed[_LINE_LENGTH]
        start = y_offset * stride + x_offset * bits // 8
        return Framebuffer(width=width, height=height, bits=bits, stride_bytes=stride, start_bytes=start)

    def release(self, fd: int) -> None:
        """Give the console back and close; never raises."""
        if self._console >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._console, _KDSETMODE, _KD_TEXT)
            with contextlib.suppress(OSError):
                os.close(self._console)
            self._console = -1
        with contextlib.suppress(OSError):
            os.close(fd)

    def _take_console(self) -> None:
        """Stop the kernel's text, its cursor and its blanking; without that right the menu is drawn all the same."""
        if not self._console_path:
            return
        try:
            self._console = os.open(self._console_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self._console, _KDSETMODE, _KD_GRAPHICS)
        except OSError as error:
            _log.warning("framebuffer console=%s cause=%s: kernel text may cover the menu", self._console_path, error)


def _clear(fd: int, framebuffer: Framebuffer) -> None:
    row = bytes(framebuffer.width * framebuffer.dot_bytes)
    for offset in range(framebuffer.start_bytes, framebuffer.size_bytes, framebuffer.stride_bytes):
        os.pwrite(fd, row, offset)
