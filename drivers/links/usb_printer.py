"""The USB printer by its id: through usblp where the kernel has bound it, else through libusb.

usblp is preferred because it can be polled: no thread, no wake-ups (field.md 11). Chosen anew at each opening.
"""

from collections.abc import Callable

from drivers.links.fd_printer import FdPrinterLink, IdleListener, NodePrinterLink
from drivers.links.opener import Opener
from drivers.links.usb_bulk import UsbBulkLink
from drivers.links.usb_device import UsbAddress
from drivers.links.usblp_port import UsblpPort, find_usblp
from pos_agent.errors import DeviceError


class UsbPrinterLink:
    """See `drivers.escpos.link.PrinterLink`.

    Args:
        address: Which device.
        bulk: The way through libusb.
        opener: For usblp.
        on_idle: See `drivers.links.fd_printer.IdleListener`.
        find: Finds the node of usblp, "" if it is not bound.
    """

    def __init__(
        self,
        address: UsbAddress,
        bulk: UsbBulkLink,
        *,
        opener: Opener,
        on_idle: IdleListener,
        find: Callable[[UsbAddress], str] = find_usblp,
    ) -> None:
        self._address = address
        self._bulk = bulk
        self._opener = opener
        self._on_idle = on_idle
        self._find = find
        self._link: UsbBulkLink | FdPrinterLink = bulk

    @property
    def is_open(self) -> bool:
        """Return True between `open` and `close` or loss."""
        return self._link.is_open

    @property
    def identity(self) -> str:
        """Return which printer was opened last."""
        return self._link.identity

    @property
    def unsent_bytes(self) -> int:
        """Return what has not left for the printer yet."""
        return self._link.unsent_bytes

    async def open(self) -> None:
        """Choose the way and open it.

        Raises:
            DeviceError: See the links.
        """
        await self.close()
        node = self._find(self._address)
        self._link = (
            NodePrinterLink(UsblpPort(node), opener=self._opener, on_idle=self._on_idle) if node else self._bulk
        )
        await self._link.open()

    async def close(self) -> None:
        """Release the device; idempotent."""
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the open device has gone away."""
        return await self._link.wait_lost()

    async def write(self, data: bytes) -> int:
        """Return how many bytes were accepted."""
        return await self._link.write(data)

    async def read(self, timeout_ms: int) -> bytes:
        """Return received bytes, b"" after the time-out."""
        return await self._link.read(timeout_ms)

    async def port_status(self) -> int | None:
        """Return GET_PORT_STATUS, None if not answered."""
        return await self._link.port_status()
