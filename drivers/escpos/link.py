"""What the printer driver needs of its link; `drivers.links.usb_bulk` and `drivers.links.fd_printer` have it."""

from typing import Protocol

from pos_agent.errors import DeviceError


class PrinterLink(Protocol):
    """Bytes to and from one printer. Every call raises `OfflineError` once the printer is gone."""

    @property
    def is_open(self) -> bool:
        """Return True between `open` and `close` or loss."""

    @property
    def identity(self) -> str:
        """Return which printer was opened last, as exactly as this link can tell (field.md 18); "" = not known."""

    @property
    def unsent_bytes(self) -> int:
        """Return how many accepted bytes have not left for the printer yet; 0 once it is gone."""

    async def open(self) -> None:
        """Find and claim the device."""

    async def close(self) -> None:
        """Release the device; idempotent."""

    async def wait_lost(self) -> DeviceError:
        """Return when the open device has gone away."""

    async def write(self, data: bytes) -> int:
        """Return how many bytes were accepted; 0 = none for now."""

    async def read(self, timeout_ms: int) -> bytes:
        """Return received bytes, b"" after the time-out."""

    async def port_status(self) -> int | None:
        """Return GET_PORT_STATUS, None if not answered."""
