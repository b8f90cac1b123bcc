"""The USB side of the printer: what a host controller sees. Requests come from `server`, errors are errno values."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.simulators.printer import status
from hil.simulators.printer.bell import Bell
from hil.simulators.printer.engine import PrintEngine
from hil.simulators.printer.spec import PrinterSpec

PACKET_BYTES = 64
EP_OUT, EP_IN = 0x01, 0x82
INTERFACE = 0
_LANGUAGE_US = b"\x04\x03\x09\x04"


class UsbFaultError(Exception):
    """A request fails with this errno, as libusb would report it."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode.get(code, str(code)))
        self.code = code


@dataclass(eq=False)
class Handle:
    """An open device file; one a connection."""

    address: int = 0
    has_claim: bool = False


@dataclass
class Counters:
    """What a well-behaved driver keeps at zero or one."""

    opens: int = 0
    claims: int = 0
    resets: int = 0
    set_configurations: int = 0
    clear_halts: int = 0
    detaches: int = 0
    short_writes: int = 0
    longest_write_bytes: int = 0
    status_reads: int = 0


@dataclass
class Attachment:
    """One plug-in: everything that a cable pulled forgets."""

    address: int
    configuration: int = 1
    has_kernel_driver: bool = True
    is_halted: bool = False
    owner: Handle | None = None
    handles: set[Handle] = field(default_factory=set)


class UsbGadget:
    """Requests by name; `call` runs one. `attachment` is None while unplugged."""

    def __init__(
        self, spec: PrinterSpec, engine: PrintEngine, bell: Bell, faults: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.counters = Counters()
        self.attachment: Attachment | None = None
        self._spec, self._engine, self._bell, self._faults = spec, engine, bell, faults
        self._next_address = 4
        self._requests: Mapping[str, Callable[[Handle, Mapping[str, Any], bytes], Awaitable[Any]]] = {
            "open": self._open,
            "claim": self._claim,
            "release": self._release,
            "get_configuration": self._get_configuration,
            "set_configuration": self._set_configuration,
            "kernel_driver": self._kernel_driver,
            "clear_halt": self._clear_halt,
            "reset": self._reset,
            "write": self._write,
            "read": self._read,
            "control": self._control,
        }

    def attach(self) -> None:
        """Appear at a new address."""
        self._next_address = self._next_address % 127 + 1
        self.attachment = Attachment(self._next_address, has_kernel_driver=self._spec.has_kernel_driver)
        self._bell.ring()

    def detach(self) -> None:
        """Disappear: open handles are dead, unread answers gone."""
        self.attachment = None
        self._engine.replies.clear()
        self._bell.ring()

    def enumerate(self) -> list[dict[str, Any]]:
        """Return the attached devices as a host sees them on its bus."""
        if self.attachment is None:
            return []
        spec = self._spec
        return [
            {
                "address": self.attachment.address,
                "vendor_id": spec.vendor_id,
                "product_id": spec.product_id,
                "bcd_device": spec.bcd_device,
                "endpoints": [EP_OUT, EP_IN],
                "packet_bytes": PACKET_BYTES,
            }
        ]

    async def call(self, handle: Handle, name: str, request: Mapping[str, Any], data: bytes) -> Any:
        """Run one request.

        Raises:
            UsbFaultError: It fails, with the errno to report.
        """
        action = self._requests.get(name)
        if action is None:
            raise UsbFaultError(errno.EINVAL)
        if name != "open":
            self._require(handle)
        return await action(handle, request, data)

    def close_handle(self, handle: Handle) -> None:
        """Close the device file: the kernel releases what it had claimed."""
        if self.attachment is not None:
            self.attachment.handles.discard(handle)
            if self.attachment.owner is handle:
                self.attachment.owner = None

    def _require(self, handle: Handle) -> Attachment:
        attachment = self.attachment
        if attachment is None or handle not in attachment.handles:
            raise UsbFaultError(errno.ENODEV)
        return attachment

    def _require_claim(self, handle: Handle) -> Attachment:
        attachment = self._require(handle)
        if attachment.owner is not handle:
            raise UsbFaultError(errno.EBUSY if attachment.has_kernel_driver else errno.EIO)
        return attachment

    async def _open(self, handle: Handle, request: Mapping[str, Any], _data: bytes) -> None:
        while "open_hangs" in self._faults:
            await self._bell.wait()
        attachment = self.attachment
        if attachment is None or attachment.address != request["address"]:
            raise UsbFaultError(errno.ENODEV)
        if "access" in self._faults:
            raise UsbFaultError(errno.EACCES)
        handle.address = attachment.address
        attachment.handles.add(handle)
        self.counters.opens += 1

    async def _claim(self, handle: Handle, _request: Mapping[str, Any], _data: bytes) -> None:
        attachment = self._require(handle)
        if attachment.has_kernel_driver or "claimed" in self._faults or attachment.owner not in (None, handle):
            raise UsbFaultError(errno.EBUSY)
        attachment.owner = handle
        self.counters.claims += 1

    async def _release(self, handle: Handle, _request: Mapping[str, Any], _data: bytes) -> None:
        while "close_hangs" in self._faults:
            await self._bell.wait()
        self._require_claim(handle).owner = None

    async def _get_configuration(self, handle: Handle, _request: Mapping[str, Any], _data: bytes) -> int:
        return self._require(handle).configuration

    async def _set_configuration(self, handle: Handle, request: Mapping[str, Any], _data: bytes) -> None:
        attachment = self._require(handle)
        if attachment.has_kernel_driver:
            raise UsbFaultError(errno.EBUSY)
        attachment.configuration = int(request["value"])
        attachment.is_halted = False
        self.counters.set_configurations += 1

    async def _kernel_driver(self, handle: Handle, request: Mapping[str, Any], _data: bytes) -> bool:
        attachment = self._require(handle)
        match request["action"]:
            case "detach":
                if not attachment.has_kernel_driver:
                    raise UsbFaultError(errno.ENOENT)
                attachment.has_kernel_driver = False
                self.counters.detaches += 1
            case "attach":
                if attachment.owner is not None:
                    raise UsbFaultError(errno.EBUSY)
                attachment.has_kernel_driver = self._spec.has_kernel_driver
        return attachment.has_kernel_driver

    async def _clear_halt(self, handle: Handle, _request: Mapping[str, Any], _data: bytes) -> None:
        self._require_claim(handle).is_halted = "stall" in self._faults and self._faults["stall"].get("sticky", False)
        self.counters.clear_halts += 1

    async def _reset(self, handle: Handle, _request: Mapping[str, Any], _data: bytes) -> None:
        self._require(handle).is_halted = False
        self._engine.replies.clear()
        self.counters.resets += 1

    async def _write(self, handle: Handle, request: Mapping[str, Any], data: bytes) -> int:
        """Send packets until all are taken or the time is over; the count tells how far it went."""
        attachment = self._require_claim(handle)
        if request["endpoint"] != EP_OUT:
            raise UsbFaultError(errno.ENOENT)
        self.counters.longest_write_bytes = max(self.counters.longest_write_bytes, len(data))
        sent = 0
        try:
            async with asyncio.timeout(_seconds(request["timeout_ms"])):
                while sent < len(data):
                    if attachment is not self.attachment:
                        raise UsbFaultError(errno.ENODEV)
                    if attachment.is_halted:
                        raise UsbFaultError(errno.EPIPE)
                    packet = data[sent : sent + PACKET_BYTES]
                    if self._engine.offer(packet):
                        sent += len(packet)
                    else:
                        await self._bell.wait()
        except TimeoutError:
            self.counters.short_writes += 1
            if not sent:
                raise UsbFaultError(errno.ETIMEDOUT) from None
        return sent

    async def _read(self, handle: Handle, request: Mapping[str, Any], _data: bytes) -> bytes:
        attachment = self._require_claim(handle)
        if request["endpoint"] != EP_IN:
            raise UsbFaultError(errno.ENOENT)
        replies, length = self._engine.replies, int(request["length"])
        try:
            async with asyncio.timeout(_seconds(request["timeout_ms"])):
                while not replies:
                    await self._bell.wait()
                    if attachment is not self.attachment:
                        raise UsbFaultError(errno.ENODEV)
        except TimeoutError:
            raise UsbFaultError(errno.ETIMEDOUT) from None
        # Whole packets only: a packet longer than what is left of the host's buffer is an overflow.
        if min(len(replies), PACKET_BYTES) > length:
            raise UsbFaultError(errno.EOVERFLOW)
        count = len(replies) if len(replies) <= length else length // PACKET_BYTES * PACKET_BYTES
        answer = bytes(replies[:count])
        del replies[:count]
        return answer

    async def _control(self, handle: Handle, request: Mapping[str, Any], _data: bytes) -> bytes:
        self._require(handle)
        length = int(request["length"])
        match (request["request_type"], request["request"]):
            case (0x80, 6) if request["value"] >> 8 == 3:
                return self._string(request["value"] & 0xFF)[:length]
            case (0xA1, 0):
                text = self._spec.device_id.encode("ascii")
                return ((len(text) + 2).to_bytes(2, "big") + text)[:length]
            case (0xA1, 1):
                self.counters.status_reads += 1
                return bytes([status.port_status(self._engine.condition)])[:length]
            case (0x21 | 0x23, 2):  # SOFT_RESET; the class document's 0x23 is a known misprint, both are in use
                self._engine.buffer.clear()
                return b""
            case _:
                raise UsbFaultError(errno.EPIPE)

    def _string(self, index: int) -> bytes:
        if index == 0:
            return _LANGUAGE_US
        texts = {1: self._spec.manufacturer, 2: self._spec.product, 3: self._spec.serial_number}
        if index not in texts:
            raise UsbFaultError(errno.EPIPE)
        body = texts[index].encode("utf-16-le")
        return bytes([len(body) + 2, 3]) + body


def _seconds(timeout_ms: int) -> float | None:
    """Return libusb's time-out, where 0 waits for ever."""
    return timeout_ms / 1000 if timeout_ms else None
