"""A pyusb backend that reaches the bench's printer over a Unix socket: `usb.core.find(backend=get_backend())`.

It behaves as pyusb's libusb1 backend does: a bulk write that ran out of time after some progress returns the short
count, one without progress raises `USBTimeoutError`; a missing bench is an empty bus, a vanished one is ENODEV.
Runs in the terminal's process, blocking, in whatever thread calls it. Source: pyusb 1.3, usb/backend/libusb1.py.
"""

import array
import errno
import json
import os
import socket
import struct
import threading
from types import SimpleNamespace
from typing import Any

import usb.backend
import usb.core

ENVIRONMENT = "POS_AGENT_SIM_USB_SOCKET"
_HEADER = struct.Struct("!II")
#: What the socket may take on top of the USB time-out before the bench counts as gone.
_GRACE_S = 5.0
# Source: libusb.h, libusb_error
_LIBUSB_ERRORS = {
    errno.EIO: -1, errno.EINVAL: -2, errno.EACCES: -3, errno.ENODEV: -4, errno.ENOENT: -5, errno.EBUSY: -6,
    errno.ETIMEDOUT: -7, errno.EOVERFLOW: -8, errno.EPIPE: -9,
}  # fmt: skip
_TEXTS = {
    errno.EIO: "Input/Output Error",
    errno.EINVAL: "Invalid parameter",
    errno.EACCES: "Access denied (insufficient permissions)",
    errno.ENODEV: "No such device (it may have been disconnected)",
    errno.ENOENT: "Entity not found",
    errno.EBUSY: "Resource busy",
    errno.ETIMEDOUT: "Operation timed out",
    errno.EOVERFLOW: "Overflow",
    errno.EPIPE: "Pipe error",
}


def get_backend() -> "SocketBackend":
    """Return a backend for the socket that the environment names."""
    return SocketBackend(os.environ.get(ENVIRONMENT, ""))


def _usb_error(code: int) -> usb.core.USBError:
    kind = usb.core.USBTimeoutError if code == errno.ETIMEDOUT else usb.core.USBError
    return kind(_TEXTS.get(code, os.strerror(code)), _LIBUSB_ERRORS.get(code, -99), code)


class _Connection:
    """One open device file on the bench's side."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(_GRACE_S)
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def call(self, op: str, data: bytes = b"", *, timeout_ms: int = 0, **request: Any) -> tuple[Any, bytes]:
        """Ask and wait for the answer; `timeout_ms` bounds a transfer, 0 = for ever, as in libusb."""
        head = json.dumps({"op": op, "timeout_ms": timeout_ms, **request}).encode()
        waits_for_ever = op == "open" or (op in ("read", "write") and not timeout_ms)
        try:
            with self._lock:
                self._socket.settimeout(None if waits_for_ever else timeout_ms / 1000 + _GRACE_S)
                self._socket.sendall(_HEADER.pack(len(head), len(data)) + head + data)
                head_length, data_length = _HEADER.unpack(self._receive(_HEADER.size))
                answer, body = json.loads(self._receive(head_length)), self._receive(data_length)
        except OSError as error:
            self.close()
            raise _usb_error(errno.ENODEV) from error
        if "errno" in answer:
            raise _usb_error(answer["errno"])
        return answer["value"], body

    def close(self) -> None:
        """Close the file; idempotent."""
        self._socket.close()

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("the bench closed the socket")
            data += piece
        return bytes(data)


class SocketBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb is not typed
    """The bus with at most one printer on it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def enumerate_devices(self) -> list[dict[str, Any]]:
        """Return what is on the bus; nothing when the bench is not there."""
        try:
            connection = _Connection(self._path)
        except OSError:
            return []
        try:
            devices: list[dict[str, Any]] = connection.call("enumerate")[0]
        except usb.core.USBError:
            return []
        finally:
            connection.close()
        return devices

    def get_parent(self, dev: dict[str, Any]) -> None:
        """Return no hub."""

    def get_device_descriptor(self, dev: dict[str, Any]) -> SimpleNamespace:
        """Return the device descriptor with the extra fields of the libusb1 backend."""
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0200,
            bDeviceClass=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=64,
            idVendor=dev["vendor_id"],
            idProduct=dev["product_id"],
            bcdDevice=dev["bcd_device"],
            iManufacturer=1,
            iProduct=2,
            iSerialNumber=3,
            bNumConfigurations=1,
            address=dev["address"],
            bus=1,
            port_number=2,
            port_numbers=(1, 2),
            speed=2,
        )

    def get_configuration_descriptor(self, dev: dict[str, Any], config: int) -> SimpleNamespace:
        """Return the only configuration."""
        if config != 0:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=32,
            bNumInterfaces=1,
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0xC0,
            bMaxPower=1,
            extra_descriptors=[],
        )

    def get_interface_descriptor(self, dev: dict[str, Any], intf: int, alt: int, config: int) -> SimpleNamespace:
        """Return the printer interface: class 7, subclass 1, bidirectional."""
        if intf != 0 or alt != 0 or config != 0:
            raise IndexError(intf)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=0,
            bAlternateSetting=0,
            bNumEndpoints=2,
            bInterfaceClass=7,
            bInterfaceSubClass=1,
            bInterfaceProtocol=2,
            iInterface=0,
            extra_descriptors=[],
        )

    def get_endpoint_descriptor(
        self, dev: dict[str, Any], ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        """Return a bulk endpoint: 0 = OUT, 1 = IN."""
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=dev["endpoints"][ep],
            bmAttributes=2,
            wMaxPacketSize=dev["packet_bytes"],
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=[],
        )

    def open_device(self, dev: dict[str, Any]) -> _Connection:
        """Open the device file."""
        try:
            connection = _Connection(self._path)
        except OSError as error:
            raise _usb_error(errno.ENODEV) from error
        try:
            connection.call("open", address=dev["address"])
        except usb.core.USBError:
            connection.close()
            raise
        return connection

    def close_device(self, dev_handle: _Connection) -> None:
        """Close the device file."""
        dev_handle.close()

    def set_configuration(self, dev_handle: _Connection, config_value: int) -> None:
        """Choose a configuration; counted, because a driver has no need to."""
        dev_handle.call("set_configuration", value=config_value)

    def get_configuration(self, dev_handle: _Connection) -> int:
        """Return the active configuration."""
        return int(dev_handle.call("get_configuration")[0])

    def set_interface_altsetting(self, dev_handle: _Connection, intf: int, altsetting: int) -> None:
        """Accept the only setting."""
        if (intf, altsetting) != (0, 0):
            raise _usb_error(errno.ENOENT)

    def claim_interface(self, dev_handle: _Connection, intf: int) -> None:
        """Claim; EBUSY while the kernel's driver or another process has it."""
        dev_handle.call("claim", interface=intf)

    def release_interface(self, dev_handle: _Connection, intf: int) -> None:
        """Release."""
        dev_handle.call("release", interface=intf)

    def bulk_write(self, dev_handle: _Connection, ep: int, intf: int, data: Any, timeout: int) -> int:
        """Send; the count may be short."""
        value, _ = dev_handle.call("write", bytes(data), endpoint=ep, timeout_ms=timeout)
        return int(value)

    def bulk_read(self, dev_handle: _Connection, ep: int, intf: int, buff: "array.array[int]", timeout: int) -> int:
        """Receive into `buff`, return the count."""
        _, body = dev_handle.call("read", endpoint=ep, length=len(buff) * buff.itemsize, timeout_ms=timeout)
        buff[: len(body)] = array.array("B", body)
        return len(body)

    def ctrl_transfer(
        self,
        dev_handle: _Connection,
        bmRequestType: int,  # noqa: N803 - pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: "array.array[int]",
        timeout: int,
    ) -> int:
        """Run a control transfer; return the count."""
        is_read = bool(bmRequestType & 0x80)
        _, body = dev_handle.call(
            "control",
            b"" if is_read else data.tobytes(),
            request_type=bmRequestType,
            request=bRequest,
            value=wValue,
            index=wIndex,
            length=len(data) * data.itemsize,
            timeout_ms=timeout,
        )
        if not is_read:
            return len(data)
        data[: len(body)] = array.array("B", body)
        return len(body)

    def clear_halt(self, dev_handle: _Connection, ep: int) -> None:
        """Clear a stall."""
        dev_handle.call("clear_halt", endpoint=ep)

    def reset_device(self, dev_handle: _Connection) -> None:
        """Reset the port; counted, because a driver must not."""
        dev_handle.call("reset")

    def is_kernel_driver_active(self, dev_handle: _Connection, intf: int) -> bool:
        """Return whether usblp has the interface."""
        return bool(dev_handle.call("kernel_driver", action="query")[0])

    def detach_kernel_driver(self, dev_handle: _Connection, intf: int) -> None:
        """Take the interface away from usblp."""
        dev_handle.call("kernel_driver", action="detach")

    def attach_kernel_driver(self, dev_handle: _Connection, intf: int) -> None:
        """Give it back."""
        dev_handle.call("kernel_driver", action="attach")
