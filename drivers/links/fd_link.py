"""A device behind one file descriptor: opened by the opener, read and written by the event loop, without a thread.

Which descriptor, and how it is claimed and configured, is the port's business: `serial_port`, `tty_port`, `evdev_port`.
"""

import asyncio
import logging
import os
from collections.abc import Callable

from drivers.links import node
from drivers.links.faults import lost_error
from drivers.links.node import Port
from drivers.links.opener import Opener
from pos_agent.errors import DeviceError

_log = logging.getLogger(__name__)
_READ_BYTES = 4096
#: More than this unsent means that the device takes nothing; a display never has more than one screen under way.
_WRITE_BUFFER_BYTES = 65_536


class FdLink:
    """Bytes to and from one descriptor.

    On end of file or an error the descriptor leaves the event loop at once: a hung-up tty is "readable" for ever and
    would burn a core (devices.md section 0, fact 5).
    """

    def __init__(
        self,
        device: str,
        port: Port,
        *,
        opener: Opener,
        on_bytes: Callable[[bytes], None],
        on_drained: Callable[[], None] | None = None,
    ) -> None:
        self._device = device
        self._port = port
        self._opener = opener
        self._on_bytes = on_bytes
        self._on_drained = on_drained
        self._fd = -1
        self._unsent = bytearray()
        self._lost: asyncio.Future[DeviceError] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether bytes can be sent: open and not lost."""
        return self._fd >= 0 and self._lost is not None and not self._lost.done()

    @property
    def descriptor(self) -> int:
        """Return the open descriptor, for questions to the driver (ioctl); -1 when closed."""
        return self._fd

    @property
    def is_pending(self) -> bool:
        """Return whether a write was short; `on_drained` is called when the rest has gone to the kernel."""
        return bool(self._unsent)

    @property
    def kernel_backlog_bytes(self) -> int:
        """Return how many bytes the driver has not sent down the wire yet; 0 where it cannot tell."""
        return node.unsent_bytes(self._fd) if self.is_open else 0

    async def open(self) -> None:
        """Open, claim and configure the port, and start reading.

        Raises:
            NoHardwareError, ClaimedError, FailureError: As the system says.
            DeviceTimeoutError: The port hangs.
        """
        fd = await node.open_node(self._device, self._port, self._opener)
        loop = asyncio.get_running_loop()
        self._fd = fd
        self._unsent.clear()
        self._lost = loop.create_future()
        loop.add_reader(fd, self.read_now)

    def read_now(self) -> None:
        """Take what has arrived; called by the event loop, or by a timer that must not be wrong about silence."""
        if not self.is_open:
            return
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._on_bytes(data)
        else:
            self._lose(None)

    def write(self, data: bytes) -> None:
        """Send without blocking; what the kernel does not take now is sent when it can. Dropped when not open."""
        if not self.is_open:
            return
        if len(self._unsent) + len(data) > _WRITE_BUFFER_BYTES:
            _log.warning("device=%s dropped_bytes=%d cause=write_buffer_full", self._device, len(data))
            return
        was_pending = self.is_pending
        self._unsent += data
        if not was_pending:
            self._send()
            if self.is_pending and self.is_open:
                asyncio.get_running_loop().add_writer(self._fd, self._on_writable)

    async def wait_lost(self) -> DeviceError:
        """Return the reason when the port has gone away."""
        if self._lost is None:
            raise RuntimeError("not open")
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        """Stop reading and release the port; idempotent, returns within 1.5 s even if the kernel does not."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        self._unregister(fd)
        self._unsent.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.cancel()
        await node.release(self._device, self._port, fd, self._opener)

    def _send(self) -> None:
        try:
            count = os.write(self._fd, self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        del self._unsent[:count]

    def _on_writable(self) -> None:
        self._send()
        if self._unsent or not self.is_open:
            return
        asyncio.get_running_loop().remove_writer(self._fd)
        if self._on_drained is not None:
            self._on_drained()

    def _lose(self, error: OSError | None) -> None:
        self._unregister(self._fd)
        self._unsent.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(lost_error(self._device, self._port.path, error))

    @staticmethod
    def _unregister(fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.remove_writer(fd)
