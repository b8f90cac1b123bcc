"""A printer behind one descriptor (usblp, serial, TCP), for the event loop: no thread but the opener's.

Counts are honest: `write` returns what the kernel took, `unsent_bytes` what of it has not left for the printer yet.
Which descriptor it is, and how it is claimed, is the port's business: `usblp_port`, `serial_printer`, `tcp_printer`.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from drivers.links import node
from drivers.links.faults import lost_error
from drivers.links.opener import Opener, PortStuckError
from pos_agent.errors import DeviceError, NoHardwareError, OfflineError

_DEVICE = "printer"
_READ_BYTES = 4096
#: More than this unread is noise: nobody asked so much of a printer.
_INBOX_BYTES = 65_536
#: As long as a bulk transfer waits (`drivers.links.usb_device`).
WRITE_TIMEOUT_S = 0.25
#: A line that is held by DSR has no event to wait for.
_HELD_LOOK_S = 0.01
STATUS_TIMEOUT_S = 0.5
IDLE_POLL_S = 2.0
#: What the printer says by itself is handed over if nobody reads it meanwhile.
_UNREAD_S = 0.05
_EMPTY_READ_PAUSE_S = 0.1

#: Called in the event loop with GET_PORT_STATUS (None = not asked) and received bytes, when either is news.
IdleListener = Callable[[int | None, bytes], None]


class PrinterPort(node.Closable, Protocol):
    """What a link asks of its descriptor; `release` and `port_status` run in the opener thread."""

    @property
    def identity(self) -> str:
        """Return which printer was opened."""

    @property
    def has_port_status(self) -> bool:
        """Return whether `port_status` may answer."""

    def is_present(self) -> bool:
        """Return False if opening cannot succeed; cheap, called in the event loop."""

    def port_status(self, fd: int) -> int | None:
        """Return GET_PORT_STATUS, None if it is not answered."""

    def is_held(self, fd: int) -> bool:
        """Return whether the printer holds the line although the kernel would write."""

    def unsent_bytes(self, fd: int) -> int:
        """Return what the kernel still keeps."""

    def is_end(self, fd: int) -> bool:
        """Return whether an empty read means that the printer is gone."""


class PrinterNode(PrinterPort, node.Port, Protocol):
    """A printer's device node: opened in the opener thread too."""


class FdPrinterLink(ABC):
    """See `drivers.escpos.link.PrinterLink`. Subclasses say how the descriptor is opened.

    Args:
        port: The printer's node or address.
        opener: Runs what blocks.
        on_idle: See `IdleListener`.
        idle_poll_s: Time between looks at GET_PORT_STATUS while nothing is printed, where the port has it.
    """

    def __init__(
        self, port: PrinterPort, *, opener: Opener, on_idle: IdleListener, idle_poll_s: float = IDLE_POLL_S
    ) -> None:
        self._port = port
        self._opener = opener
        self._on_idle = on_idle
        self._idle_poll_s = idle_poll_s
        self._fd = -1
        self._inbox = bytearray()
        self._arrived = asyncio.Event()
        self._writing = asyncio.Lock()
        self._lost: asyncio.Future[DeviceError] | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._polling: asyncio.Task[None] | None = None
        self._last_status: int | None = None

    @property
    def is_open(self) -> bool:
        """Return True between `open` and `close` or loss."""
        return self._fd >= 0 and self._lost is not None and not self._lost.done()

    @property
    def identity(self) -> str:
        """Return which printer was opened last."""
        return self._port.identity

    @property
    def unsent_bytes(self) -> int:
        """Return what the kernel still keeps of what it took."""
        return self._port.unsent_bytes(self._fd) if self.is_open else 0

    async def open(self) -> None:
        """Open, claim and configure the port, and start listening.

        Raises:
            NoHardwareError, ClaimedError, FailureError: As the system says.
            DeviceTimeoutError: The port hangs.
        """
        await self.close()
        if not self._port.is_present():
            raise NoHardwareError(_DEVICE, f"{self._port.path} does not exist")
        with node.open_faults(_DEVICE, self._port.path):
            fd = await self._acquire()
        loop = asyncio.get_running_loop()
        self._fd, self._last_status = fd, None
        self._inbox.clear()
        self._lost = loop.create_future()
        loop.add_reader(fd, self._on_readable)
        if self._port.has_port_status:
            self._polling = loop.create_task(self._poll(), name="printer-idle")

    @abstractmethod
    async def _acquire(self) -> int:
        """Open; return a non-blocking descriptor.

        Raises:
            OSError, PortStuckError: See `drivers.links.node.open_faults`.
        """

    async def close(self) -> None:
        """Stop listening and release the port; idempotent, returns within 1.5 s even if the kernel does not."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        self._unregister(fd)
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(OfflineError(_DEVICE, "closed"))
        self._arrived.set()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
            self._polling = None
        await node.release(_DEVICE, self._port, fd, self._opener)

    async def wait_lost(self) -> DeviceError:
        """Return the reason when the printer has gone away."""
        if self._lost is None:
            return OfflineError(_DEVICE, "not open")
        return await asyncio.shield(self._lost)

    async def write(self, data: bytes) -> int:
        """Return how many bytes the kernel took; 0 = none within 250 ms.

        Raises:
            OfflineError: The printer is gone; bytes of this call or an earlier one may have arrived.
        """
        async with self._writing:
            deadline_s = asyncio.get_running_loop().time() + WRITE_TIMEOUT_S
            while True:
                fd = self._require()
                left_s = deadline_s - asyncio.get_running_loop().time()
                if self._port.is_held(fd):
                    await asyncio.sleep(_HELD_LOOK_S)
                elif count := self._write_now(fd, data):
                    return count
                else:
                    await self._wait_writable(fd, left_s)
                if left_s <= 0:
                    return 0

    def _write_now(self, fd: int, data: bytes) -> int:
        try:
            return os.write(fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._lose(error)
            raise lost_error(_DEVICE, self._port.path, error) from error

    async def _wait_writable(self, fd: int, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(fd, _resolve, writable)
        waits: list[asyncio.Future[Any]] = [writable]
        if self._lost is not None:
            waits.append(self._lost)
        try:
            await asyncio.wait(waits, timeout=max(timeout_s, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            writable.cancel()
            if self._fd == fd:
                loop.remove_writer(fd)

    async def read(self, timeout_ms: int) -> bytes:
        """Return received bytes, b"" after the time-out.

        Raises:
            OfflineError: The printer is gone.
        """
        self._require()
        if not self._inbox:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
            self._require()
        return self._take()

    async def port_status(self) -> int | None:
        """Return GET_PORT_STATUS, None if this link has none or the printer does not answer in time.

        Raises:
            OfflineError: The printer is gone.
        """
        fd = self._require()
        if not self._port.has_port_status:
            return None
        ask = partial(self._port.port_status, fd)
        try:
            status = await self._opener.run(ask, port=f"{self._port.path} status", timeout_s=STATUS_TIMEOUT_S)
        except PortStuckError:
            return None
        except OSError as error:
            self._lose(error)
            raise lost_error(_DEVICE, self._port.path, error) from error
        self._last_status = status
        return status

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._idle_poll_s)
            known = self._last_status
            try:
                status = await self.port_status()
            except OfflineError:
                return
            if status != known:
                self._on_idle(status, b"")

    def _require(self) -> int:
        if not self.is_open:
            raise OfflineError(_DEVICE, f"{self._port.path} is not open")
        return self._fd

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._keep(data)
        elif self._port.is_end(self._fd):
            self._lose(None)
        else:
            self._rest(self._fd)

    def _rest(self, fd: int) -> None:
        """A zero-length packet: legal, and a printer that sends them without end must not burn a core."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.call_later(_EMPTY_READ_PAUSE_S, lambda: self._fd == fd and loop.add_reader(fd, self._on_readable))

    def _keep(self, data: bytes) -> None:
        self._inbox += data
        del self._inbox[:-_INBOX_BYTES]
        self._arrived.set()
        if self._unread is None:
            self._unread = asyncio.get_running_loop().call_later(_UNREAD_S, self._hand_over)

    def _hand_over(self) -> None:
        self._unread = None
        if self._inbox:
            self._on_idle(None, self._take())

    def _take(self) -> bytes:
        data = bytes(self._inbox)
        self._inbox.clear()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        return data

    def _lose(self, error: OSError | None) -> None:
        self._unregister(self._fd)
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(lost_error(_DEVICE, self._port.path, error))
        self._arrived.set()

    def _unregister(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class NodePrinterLink(FdPrinterLink):
    """A link to a device node: usblp or serial."""

    def __init__(
        self, port: PrinterNode, *, opener: Opener, on_idle: IdleListener, idle_poll_s: float = IDLE_POLL_S
    ) -> None:
        super().__init__(port, opener=opener, on_idle=on_idle, idle_poll_s=idle_poll_s)
        self._node = port

    async def _acquire(self) -> int:
        return await node.acquire(self._node, self._opener)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
