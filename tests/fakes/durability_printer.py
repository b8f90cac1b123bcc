"""A USB printer in memory that fails at one byte of a job, and what it left on paper."""

import errno
from enum import Enum
from typing import Any

from tests.unit.drivers.links_usb.fake_backend import ENDPOINT_OUT, FakeBackend, usb_error

#: GET_PORT_STATUS. Source: USB Device Class Definition for Printing Devices 1.1, section 4.2.2.
READY, PAPER_EMPTY, NOT_SELECTED = 0x18, 0x38, 0x08


class Fault(Enum):
    """What happens to the printer."""

    PAPER_END = "paper_end"
    COVER_OPEN = "cover_open"
    UNPLUGGED = "unplugged"
    POWER_LOSS = "power_loss"


class FailingPrinter(FakeBackend):
    """Takes every byte, until it has taken as many as it was armed for.

    Attributes:
        paper: What was or will be printed; a power loss takes what it had in its buffer.
        is_down: The fault is there, and nobody has mended it.
        trips: How often a fault came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.paper = bytearray()
        self.is_down = False
        self.trips = 0
        self._fault = Fault.PAPER_END
        self._left: int | None = None
        self._at_start = 0

    def arm(self, fault: Fault, offset: int) -> None:
        """Fail when `offset` more bytes are taken."""
        self._fault, self._left, self._at_start = fault, offset, len(self.paper)

    def mend(self) -> None:
        """Put paper in, close the cover, plug it in, switch it on."""
        if self.is_down:
            self.port_status, self.is_present, self.is_down = READY, True, False

    def bulk_write(self, dev_handle: Any, ep: int, intf: int, data: Any, timeout: int) -> int:
        self._check()
        assert ep == ENDPOINT_OUT
        if self.is_down:
            raise usb_error(errno.ETIMEDOUT)  # it takes nothing: NAK until the time-out
        size = len(data)
        if self._left is None:
            return self._take(bytes(data))
        if self._left > size:
            self._left -= size
            return self._take(bytes(data))
        count = self._take(bytes(data)[: self._left])
        self._trip()
        if count == size:
            return count
        if not self.is_present:  # torn off inside the transfer: nobody is told how much of it arrived
            raise usb_error(errno.ENODEV)
        if not count:
            raise usb_error(errno.ETIMEDOUT)
        return count

    def _take(self, data: bytes) -> int:
        self.received += data
        self.paper += data
        return len(data)

    def _trip(self) -> None:
        self._left = None
        self.trips += 1
        match self._fault:
            case Fault.PAPER_END:
                self.port_status = PAPER_EMPTY
            case Fault.COVER_OPEN:
                self.port_status = NOT_SELECTED
            case Fault.POWER_LOSS:
                del self.paper[self._at_start :]
                self.is_present = False
            case Fault.UNPLUGGED:
                self.is_present = False
        self.is_down = True
