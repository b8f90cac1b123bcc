"""A USB printer through pyusb, blocking: every method runs in the one worker thread of `drivers.links.usb_bulk`.

Rules (devices.md section 2): endpoints from the descriptors; no reset, no set_configuration if configured; transfers of
at most `chunk_bytes` with a short time-out; **the returned count is what was accepted**: pyusb reports a transfer that
timed out after some progress as a short count, without an exception.
"""

import errno
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from drivers.links.usb_identity import identity_key
from pos_agent.errors import ClaimedError, ConfigValueError, DeviceError, FailureError, NoHardwareError, OfflineError

_LOG = logging.getLogger(__name__)
#: Source: USB Device Class Definition for Printing Devices 1.1, section 4.1: base class 7.
PRINTER_CLASS = 7
#: Source: the same, section 4.2.2: bmRequestType 0xA1, bRequest 1.
GET_PORT_STATUS = (0xA1, 1)
#: Source: the same, section 4.2.1: bRequest 0; wIndex holds interface and alternate setting. usblp asks it, too.
GET_DEVICE_ID = (0xA1, 0)
_DEVICE_ID_BYTES = 1024
#: Bulk-IN buffers are multiples of the largest full-speed packet, or libusb reports OVERFLOW.
PACKET_BYTES = 64
WRITE_TIMEOUT_MS = 250
CONTROL_TIMEOUT_MS = 250
_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ENXIO, errno.ESHUTDOWN})
_DEVICE = "printer"


class UsbAddress(msgspec.Struct, frozen=True):
    """Which device to take.

    Attributes:
        serial: Empty = any.
        interface: Interface number; None = the first of the printer class, else the first with a bulk OUT endpoint.
    """

    vendor_id: int
    product_id: int
    serial: str = ""
    interface: int | None = None


def parse_usb_address(text: str, *, interface: int | None = None) -> UsbAddress:
    """Read ``VID:PID`` or ``VID:PID:SERIAL``, the ids in hexadecimal.

    Raises:
        ConfigValueError: Anything else.
    """
    vendor, _, rest = text.partition(":")
    product, _, serial = rest.partition(":")
    try:
        vendor_id, product_id = int(vendor, 16), int(product, 16)
    except ValueError:
        vendor_id = product_id = -1
    if not (0 <= vendor_id <= 0xFFFF and 0 <= product_id <= 0xFFFF):
        raise ConfigValueError(
            f"not a USB id: {text!r}", key="devices.printer.usb", origin="config", hint="such as 04b8:0e28"
        )
    return UsbAddress(vendor_id, product_id, serial, interface)


class UsbDevice:
    """One claimed interface. Created by `open_usb_device`."""

    def __init__(self, device: Any, interface: Any, *, was_driver_detached: bool) -> None:
        self._device = device
        self._number: int = interface.bInterfaceNumber
        self._was_driver_detached = was_driver_detached
        self._out, self._in = _bulk_endpoints(interface)
        self._has_port_status = True
        self._was_stall_cleared = False

    @property
    def identity(self) -> str:
        """Return the key of `drivers.links.usb_identity`."""
        import usb.util  # noqa: PLC0415 - see open_usb_device

        device = self._device
        return identity_key(
            vendor_id=device.idVendor,
            product_id=device.idProduct,
            bcd_device=device.bcdDevice,
            serial=_told(lambda: usb.util.get_string(device, device.iSerialNumber) or ""),
            device_id=_told(self._device_id),
            socket=".".join(str(number) for number in device.port_numbers or ()),
        )

    def _device_id(self) -> str:
        """Return the IEEE 1284 device id; the asking prints nothing."""
        index = self._number << 8
        answer = self._device.ctrl_transfer(*GET_DEVICE_ID, 0, index, _DEVICE_ID_BYTES, CONTROL_TIMEOUT_MS)
        return text_of_device_id(bytes(answer))

    def write(self, data: bytes) -> int:
        """Send one transfer; return how many bytes the printer took, 0 when it takes none now (NAK until time-out).

        Raises:
            OfflineError: The device is gone, or a second stall follows the first. The failed transfer may have
                delivered bytes that nobody counted.
        """
        import usb.core  # noqa: PLC0415 - see open_usb_device

        try:
            count: int = self._device.write(self._out.bEndpointAddress, data, WRITE_TIMEOUT_MS)
        except usb.core.USBTimeoutError:
            return 0
        except usb.core.USBError as error:
            self._recover(error, self._out.bEndpointAddress)
            return 0
        self._was_stall_cleared = False
        return count

    def read(self, timeout_ms: int) -> bytes:
        """Return what the printer has to say, b"" for nothing.

        Raises:
            OfflineError: The device is gone.
        """
        import usb.core  # noqa: PLC0415

        if self._in is None:
            return b""
        try:
            return bytes(self._device.read(self._in.bEndpointAddress, PACKET_BYTES * 4, timeout_ms))
        except usb.core.USBTimeoutError:
            return b""
        except usb.core.USBError as error:
            self._recover(error, self._in.bEndpointAddress)
            return b""

    def port_status(self) -> int | None:
        """Return GET_PORT_STATUS, None if this printer does not answer it.

        Raises:
            OfflineError: The device is gone.
        """
        import usb.core  # noqa: PLC0415

        if not self._has_port_status:
            return None
        try:
            answer = self._device.ctrl_transfer(*GET_PORT_STATUS, 0, self._number, 1, CONTROL_TIMEOUT_MS)
        except usb.core.USBTimeoutError:
            return None
        except usb.core.USBError as error:
            if error.errno in _GONE or error.errno == errno.EIO:
                raise OfflineError(_DEVICE, f"errno={error.errno}") from error
            _LOG.info("printer does not answer GET_PORT_STATUS errno=%s", error.errno)
            self._has_port_status = False
            return None
        return int(answer[0]) if len(answer) else None

    def close(self) -> None:
        """Give the interface back to the kernel; a device that is gone is no error."""
        import usb.core  # noqa: PLC0415
        import usb.util  # noqa: PLC0415

        try:
            usb.util.release_interface(self._device, self._number)
            if self._was_driver_detached:
                self._device.attach_kernel_driver(self._number)
        except (usb.core.USBError, NotImplementedError) as error:
            _LOG.debug("release failed cause=%s", error)
        finally:
            usb.util.dispose_resources(self._device)

    def _recover(self, error: Any, endpoint: int) -> None:
        """Clear a stall once (EPIPE, EIO); anything else, or a second stall, means that the device is lost."""
        import usb.core  # noqa: PLC0415

        if error.errno not in (errno.EPIPE, errno.EIO) or self._was_stall_cleared:
            raise OfflineError(_DEVICE, f"errno={error.errno}") from error
        self._was_stall_cleared = True
        try:
            self._device.clear_halt(endpoint)
        except usb.core.USBError as second:
            raise OfflineError(_DEVICE, f"errno={second.errno}") from second


def _told(ask: Callable[[], str]) -> str:
    """Return what the printer says of itself, "" if it does not.

    Asked twice: one transfer lost on a bad cable must not make another printer of it.
    """
    import usb.core  # noqa: PLC0415 - see open_usb_device

    for _ in range(2):
        try:
            return ask()
        except (usb.core.USBError, ValueError) as error:  # ValueError: it has no language for its texts
            _LOG.debug("printer does not say cause=%s", error)
    return ""


def text_of_device_id(answer: bytes) -> str:
    """Return the text of an IEEE 1284 device id: two bytes of length, themselves included, stand before it."""
    length = int.from_bytes(answer[:2], "big")
    return answer[2 : max(length, 2)].decode("ascii", "replace").strip("\0 ")


def open_usb_device(address: UsbAddress, backend: Any) -> UsbDevice:
    """Find, configure (only if nobody did) and claim the printer.

    pyusb is imported here: 12 ms and 3 MB that a till without a USB printer does not pay, in the worker thread.

    Raises:
        NoHardwareError: Not attached.
        ClaimedError: Another process holds the interface.
        DeviceError: Not permitted, no libusb, not a printer.
    """
    import usb.core  # noqa: PLC0415

    try:
        device = _find(address, backend)
        return _claim(device, address)
    except usb.core.NoBackendError as error:
        raise FailureError(_DEVICE, "libusb-1.0 is not installed") from error
    except usb.core.USBError as error:
        raise _translated(error) from error


def _find(address: UsbAddress, backend: Any) -> Any:
    import usb.core  # noqa: PLC0415
    import usb.util  # noqa: PLC0415

    found = usb.core.find(find_all=True, idVendor=address.vendor_id, idProduct=address.product_id, backend=backend)
    for device in found:
        if not address.serial or usb.util.get_string(device, device.iSerialNumber) == address.serial:
            return device
        usb.util.dispose_resources(device)
    raise NoHardwareError(_DEVICE, f"no USB device {address.vendor_id:04x}:{address.product_id:04x}")


def _claim(device: Any, address: UsbAddress) -> UsbDevice:
    import usb.core  # noqa: PLC0415
    import usb.util  # noqa: PLC0415

    try:
        interface = _interface(_configuration(device), address)
        number = interface.bInterfaceNumber
        was_detached = False
        try:
            if device.is_kernel_driver_active(number):
                device.detach_kernel_driver(number)
                was_detached = True
        except NotImplementedError:  # backends without kernel drivers
            pass
        usb.util.claim_interface(device, number)
        return UsbDevice(device, interface, was_driver_detached=was_detached)
    except (usb.core.USBError, DeviceError):
        usb.util.dispose_resources(device)
        raise


def _configuration(device: Any) -> Any:
    """Return the active configuration; set one only if there is none: setting it again resets some printers."""
    import usb.core  # noqa: PLC0415

    try:
        return device.get_active_configuration()
    except usb.core.USBError as error:
        if error.errno in _GONE - {errno.ENOENT} or error.errno in (errno.EACCES, errno.EPERM):
            raise
    device.set_configuration()
    return device.get_active_configuration()


def _interface(configuration: Any, address: UsbAddress) -> Any:
    candidates = [item for item in configuration if _bulk_endpoints(item)[0] is not None]
    if address.interface is not None:
        candidates = [item for item in candidates if item.bInterfaceNumber == address.interface]
    candidates.sort(key=lambda item: (item.bInterfaceClass != PRINTER_CLASS, item.bInterfaceNumber))
    if not candidates:
        raise FailureError(_DEVICE, "no interface with a bulk OUT endpoint")
    return candidates[0]


def _bulk_endpoints(interface: Any) -> tuple[Any, Any]:
    """Return the first bulk OUT and bulk IN endpoint (bit 7 of the address = IN, attributes 2 = bulk)."""
    bulk = [endpoint for endpoint in interface if endpoint.bmAttributes & 3 == 2]
    outward = next((endpoint for endpoint in bulk if not endpoint.bEndpointAddress & 0x80), None)
    inward = next((endpoint for endpoint in bulk if endpoint.bEndpointAddress & 0x80), None)
    return outward, inward


def _translated(error: Any) -> DeviceError:
    if error.errno == errno.EBUSY:
        return ClaimedError(_DEVICE, "interface held by another process")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FailureError(_DEVICE, "not permitted: is the user in group lp?")
    if error.errno in _GONE:
        return NoHardwareError(_DEVICE, f"errno={error.errno}")
    return FailureError(_DEVICE, f"errno={error.errno}")
