"""An operator display on HDMI or DSI: `pos_agent.devices.interfaces.LineDisplay` drawn into a framebuffer (D21).

The kernel's console has no Han glyphs; here our own font is drawn. Writing is a copy in memory, so every screen goes
out inside `show`, changed cells only. `pwrite` and not a mapping: a framebuffer that is pulled away then fails with an
error instead of killing the daemon with SIGBUS.
"""

import asyncio
import errno
import logging
import os
from collections import Counter
from collections.abc import Mapping

from drivers.display.cells import changed_runs, fitted
from drivers.display.framebuffer_port import FramebufferPort
from drivers.display.geometry import Framebuffer, lay_out
from drivers.display.node_watch import NodeWatch
from drivers.display.painter import Painter
from drivers.links import node
from drivers.links.faults import lost_error
from drivers.links.opener import Opener
from pos_agent.domain.events import DeviceName
from pos_agent.domain.screen import Screen
from pos_agent.errors import DeviceError, FailureError, OfflineError

_log = logging.getLogger(__name__)


class FramebufferDisplay:
    """Shows screens in cells of dots.

    Args:
        name: Operator or customer display.
        port: Where it is.
        size: (columns, rows).
        rotate: How far the picture is turned clockwise on the panel: 0, 90, 180 or 270.
    Counters: ScreenShownCount.
    """

    def __init__(
        self, name: DeviceName, *, port: FramebufferPort, size: tuple[int, int], opener: Opener, rotate: int = 0
    ) -> None:
        self._name = name
        self._port = port
        self._size = size
        self._rotate = rotate
        self._opener = opener
        self._fd = -1
        self._framebuffer: Framebuffer | None = None
        self._painter: Painter | None = None
        self._watch: NodeWatch | None = None
        self._lost: asyncio.Future[DeviceError] | None = None
        self._wanted: tuple[str, ...] | None = None
        self._shown: tuple[str, ...] | None = None
        self._counters: Counter[str] = Counter(ScreenShownCount=0)

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return self._name

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics."""
        return self._counters

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows)."""
        return self._size

    async def open(self) -> None:
        """Open, clear, and draw the newest screen.

        Raises:
            NoHardwareError: There is no such framebuffer (yet).
            FailureError: It is too small, or of a depth that is not drawn.
        """
        fd = await node.open_node(self._name, self._port, self._opener)
        self._fd = fd
        self._lost = asyncio.get_running_loop().create_future()
        try:
            self._prepare(fd)
        except DeviceError:
            await self.close()
            raise
        self._shown = None
        self._flush()

    async def close(self) -> None:
        """Give the screen back to the console; its content stays."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        if self._lost is not None and not self._lost.done():
            self._lost.cancel()
        await node.release(self._name, self._port, fd, self._opener)

    async def wait_lost(self) -> DeviceError:
        """Return when the framebuffer has gone or got another geometry."""
        if self._lost is None:
            raise RuntimeError("not open")
        return await asyncio.shield(self._lost)

    def show(self, screen: Screen) -> None:
        """Show a screen at once."""
        self._wanted = fitted(screen.lines, self._size)
        self._flush()

    def beep(self) -> None:
        """Do nothing: a panel has no buzzer."""

    def _prepare(self, fd: int) -> None:
        path = self._port.path
        try:
            with node.open_faults(self._name, path):
                self._framebuffer = self._port.ask(fd)
                self._painter = Painter(lay_out(self._framebuffer, size=self._size, rotate=self._rotate))
                self._watch = NodeWatch(path, lambda: self._lose(OSError(errno.ENODEV, "")))
        except ValueError as error:
            raise FailureError(self._name, f"{path}: {error}") from error
        facts = self._framebuffer
        _log.info(
            "device=%s size=%dx%d bits=%d rotate=%d", self._name, facts.width, facts.height, facts.bits, self._rotate
        )

    def _flush(self) -> None:
        if self._wanted is None or self._wanted == self._shown or self._painter is None or not self._is_there():
            return
        try:
            if self._port.ask(self._fd) != self._framebuffer:
                self._lose_with(OfflineError(self._name, f"{self._port.path} has another geometry now"))
                return
            for run in changed_runs(self._shown, self._wanted):
                for offset, data in self._painter.paint(run):
                    os.pwrite(self._fd, data, offset)
        except OSError as error:
            self._lose(error)
            return
        self._shown = self._wanted
        self._counters["ScreenShownCount"] += 1

    def _is_there(self) -> bool:
        return self._fd >= 0 and self._lost is not None and not self._lost.done()

    def _lose(self, error: OSError) -> None:
        self._lose_with(lost_error(self._name, self._port.path, error))

    def _lose_with(self, error: DeviceError) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(error)
