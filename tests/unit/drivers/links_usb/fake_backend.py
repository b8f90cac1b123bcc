"""A pyusb backend in memory: just enough of a printer to be opened, to take bytes in portions, and to vanish.

The counts and errors follow pyusb's libusb1 backend: a transfer that timed out after some progress is a short count
without an exception.
"""

import errno
from array import array
from collections import deque
from types import SimpleNamespace
from typing import Any

import usb.backend
import usb.core

VENDOR_ID, PRODUCT_ID = 0x04B8, 0x0E28
ENDPOINT_OUT, ENDPOINT_IN = 0x03, 0x84


def usb_error(number: int) -> usb.core.USBError:
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(errno.errorcode[number], None, number)


class FakeBackend(usb.backend.IBackend):  # type: ignore[misc]
    """One printer with interface 0 (vendor class) and interface 1 (printer class)."""

    def __init__(self, *, serial: str = "SN42") -> None:
        super().__init__()
        self.serial = serial
        self.is_present = True
        self.received = bytearray()
        #: What each next bulk write does: a number of bytes to accept, or an errno to raise; empty = accept all.
        self.write_script: deque[int | OSError] = deque()
        self.replies: deque[bytes] = deque()
        self.port_status = 0x18
        self.port_status_error = 0
        self.claim_error = 0
        self.configuration = 1
        self.is_kernel_driver_active_now = True
        self.calls: list[str] = []
        #: Bytes until the paper ends; None = endless roll. Without paper nothing is accepted.
        self.paper_bytes: int | None = None
        self.is_handle_open = False

    def _check(self) -> None:
        if not self.is_present:
            raise usb_error(errno.ENODEV)

    # -- descriptors ------------------------------------------------------------------------------------------

    def enumerate_devices(self) -> Any:
        return iter(["device"] if self.is_present else [])

    def get_device_descriptor(self, dev: Any) -> Any:
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x200,
            bDeviceClass=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=64,
            idVendor=VENDOR_ID,
            idProduct=PRODUCT_ID,
            bcdDevice=0x100,
            iManufacturer=1,
            iProduct=2,
            iSerialNumber=3,
            bNumConfigurations=1,
            address=5,
            bus=1,
            port_number=1,
            port_numbers=(1,),
            speed=2,
        )

    def get_configuration_descriptor(self, dev: Any, config: int) -> Any:
        if config:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=55,
            bNumInterfaces=2,
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0xC0,
            bMaxPower=1,
            extra_descriptors=[],
        )

    def get_interface_descriptor(self, dev: Any, intf: int, alt: int, config: int) -> Any:
        if intf > 1 or alt:
            raise IndexError((intf, alt))
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=intf,
            bAlternateSetting=0,
            bNumEndpoints=2,
            bInterfaceClass=7 if intf else 0xFF,
            bInterfaceSubClass=1,
            bInterfaceProtocol=2,
            iInterface=0,
            extra_descriptors=[],
        )

    def get_endpoint_descriptor(self, dev: Any, ep: int, intf: int, alt: int, config: int) -> Any:
        addresses = (ENDPOINT_OUT, ENDPOINT_IN) if intf else (0x01, 0x82)
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=addresses[ep],
            bmAttributes=2,
            wMaxPacketSize=64,
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=[],
        )

    # -- life -------------------------------------------------------------------------------------------------

    def open_device(self, dev: Any) -> Any:
        self._check()
        self.is_handle_open = True
        return "handle"

    def close_device(self, dev_handle: Any) -> None:
        self.is_handle_open = False

    def get_configuration(self, dev_handle: Any) -> int:
        return self.configuration

    def set_configuration(self, dev_handle: Any, config_value: int) -> None:
        self.calls.append("set_configuration")
        self.configuration = config_value

    def reset_device(self, dev_handle: Any) -> None:
        self.calls.append("reset")

    def claim_interface(self, dev_handle: Any, intf: int) -> None:
        if self.claim_error:
            raise usb_error(self.claim_error)
        self.calls.append(f"claim {intf}")

    def release_interface(self, dev_handle: Any, intf: int) -> None:
        self._check()
        self.calls.append(f"release {intf}")

    def is_kernel_driver_active(self, dev_handle: Any, intf: int) -> bool:
        return self.is_kernel_driver_active_now

    def detach_kernel_driver(self, dev_handle: Any, intf: int) -> None:
        self.calls.append(f"detach {intf}")

    def attach_kernel_driver(self, dev_handle: Any, intf: int) -> None:
        self.calls.append(f"attach {intf}")

    def clear_halt(self, dev_handle: Any, ep: int) -> None:
        self._check()
        self.calls.append(f"clear_halt {ep:#x}")

    # -- transfers ----------------------------------------------------------------------------------------------

    def bulk_write(self, dev_handle: Any, ep: int, intf: int, data: Any, timeout: int) -> int:
        self._check()
        assert ep == ENDPOINT_OUT, "endpoints must come from the descriptors"
        assert 0 < timeout <= 500, "a time-out of 0 would hang for ever"
        step = self.write_script.popleft() if self.write_script else len(data)
        if self.paper_bytes is not None and not isinstance(step, OSError):
            step = min(step, self.paper_bytes)
            self.paper_bytes -= step
            self.port_status = 0x18 if self.paper_bytes else 0x38
        if isinstance(step, OSError):
            raise usb_error(step.errno or 0)
        if not step:
            raise usb_error(errno.ETIMEDOUT)
        self.received += bytes(data)[:step]
        return min(step, len(data))

    def bulk_read(self, dev_handle: Any, ep: int, intf: int, buff: Any, timeout: int) -> int:
        self._check()
        assert ep == ENDPOINT_IN
        assert len(buff) % 64 == 0, "libusb reports OVERFLOW for other sizes"
        assert timeout > 0
        if not self.replies:
            raise usb_error(errno.ETIMEDOUT)
        reply = self.replies.popleft()
        buff[: len(reply)] = array("B", reply)
        return len(reply)

    def ctrl_transfer(
        self, dev_handle: Any, request_type: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> int:
        self._check()
        if (request_type, request) == (0xA1, 1):
            return self._answer_port_status(index, data)
        if (request_type, request) == (0x80, 6) and value >> 8 == 3:
            text = b"\x09\x04" if not value & 0xFF else self.serial.encode("utf-16-le")
            answer = bytes([len(text) + 2, 3]) + text
            data[: len(answer)] = array("B", answer)
            return len(answer)
        raise usb_error(errno.EPIPE)

    def _answer_port_status(self, index: int, data: Any) -> int:
        assert index == 1, "GET_PORT_STATUS names the interface"
        if self.port_status_error:
            raise usb_error(self.port_status_error)
        data[0] = self.port_status
        return 1


def current() -> FakeBackend:
    """Return the backend of the running test; `POS_AGENT_USB_BACKEND` names this function."""
    assert CURRENT, "no test has set a backend"
    return CURRENT[-1]


CURRENT: list[FakeBackend] = []
