"""What a printer says about itself: bytes → facts. Pure.

GET_PORT_STATUS, one byte on the control endpoint, readable while bulk OUT is refused (devices.md section 2)::

    7 6 5 4 3 2 1 0
        │ │ └ 1 = no error
        │ └ 1 = selected (on line)
        └ 1 = paper empty

``DLE EOT n`` answers ``0xx1xx10``; Automatic Status Back (ASB) sends four bytes, ``0xx1xx00`` then three of
``0xx0xxxx``; ``GS r`` answers ``0xx0xxxx`` (devices.md section 9; Epson ESC/POS Command Reference, "DLE EOT", "GS a",
"GS r"; USB Device Class Definition for Printing Devices 1.1, section 4.2.2).
"""

from collections.abc import Iterator

import msgspec

from drivers.escpos.profile import DrawerSensor
from pos_agent.devices.interfaces import PrinterStatus

#: Real-time requests: printer, off-line cause, error cause, paper sensors.
DLE_EOT_REQUESTS = (b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x03", b"\x10\x04\x04")
#: Switch ASB on for drawer, on/off line, error, paper sensor.
ENABLE_ASB = b"\x1da\xff"
_XON, _XOFF = 0x11, 0x13


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer says; None = it says nothing about this."""

    is_offline: bool | None = None
    cover_open: bool | None = None
    rec_empty: bool | None = None
    rec_near_end: bool | None = None
    has_cutter_error: bool | None = None
    has_error: bool | None = None
    is_drawer_pin_high: bool | None = None

    def merged(self, newer: "Facts") -> "Facts":
        """Return these facts, replaced where `newer` says something."""
        said = {name: value for name in newer.__struct_fields__ if (value := getattr(newer, name)) is not None}
        return msgspec.structs.replace(self, **said)

    def status(
        self, *, is_open: bool, notice: str = "", drawer_sensor: DrawerSensor = DrawerSensor.NONE
    ) -> PrinterStatus:
        """Return the status in UnifiedPOS words; the cause that a person must see first wins."""
        code = ""
        if self.cover_open:
            code = "EPTR_COVER_OPEN"
        elif self.rec_empty:
            code = "EPTR_REC_EMPTY"
        elif self.has_cutter_error:
            code = "EPTR_CUTTER"
        elif self.has_error or self.is_offline:
            code = "E_FAILURE"
        return PrinterStatus(
            is_online=is_open and not code,
            cover_open=self.cover_open,
            rec_empty=self.rec_empty,
            rec_near_end=self.rec_near_end,
            drawer_open=self._drawer_open(drawer_sensor),
            code=code if is_open else "E_NOHARDWARE",
            notice=notice,
        )

    def _drawer_open(self, sensor: DrawerSensor) -> bool | None:
        if sensor is DrawerSensor.NONE or self.is_drawer_pin_high is None:
            return None
        return self.is_drawer_pin_high is (sensor is DrawerSensor.HIGH)


def parse_port_status(byte: int) -> Facts:
    """Read GET_PORT_STATUS. Some printers report an open cover as "paper empty"; the byte cannot tell them apart."""
    is_empty = bool(byte & 0x20)
    return Facts(rec_empty=is_empty, is_offline=not byte & 0x10, has_error=not byte & 0x08 and not is_empty)


def is_dle_eot_reply(byte: int) -> bool:
    """Return True for ``0xx1xx10``."""
    return byte & 0x93 == 0x12


def parse_dle_eot(n: int, byte: int) -> Facts:
    """Read the answer to ``DLE EOT n``, n = 1 … 4.

    Raises:
        ValueError: Not an answer to DLE EOT.
    """
    if not is_dle_eot_reply(byte):
        raise ValueError(f"not a DLE EOT answer: 0x{byte:02x}")
    match n:
        case 1:
            return Facts(is_offline=bool(byte & 0x08), is_drawer_pin_high=bool(byte & 0x04))
        case 2:
            return Facts(cover_open=bool(byte & 0x04), has_error=bool(byte & 0x40))
        case 3:
            return Facts(has_cutter_error=bool(byte & 0x08), has_error=bool(byte & 0x68))
        case 4:
            return Facts(rec_near_end=bool(byte & 0x0C), rec_empty=bool(byte & 0x60))
        case _:
            raise ValueError(f"DLE EOT {n} is not asked")


def parse_gs_r1(byte: int) -> Facts:
    """Read the answer to ``GS r 1``: paper sensors."""
    return Facts(rec_near_end=bool(byte & 0x03), rec_empty=bool(byte & 0x0C))


def parse_asb(quadruple: bytes) -> Facts:
    """Read four ASB bytes."""
    first, second, third, _ = quadruple
    return Facts(
        is_offline=bool(first & 0x08),
        is_drawer_pin_high=bool(first & 0x04),
        cover_open=bool(first & 0x20),
        has_cutter_error=bool(second & 0x08),
        has_error=bool(second & 0x6C),
        rec_near_end=bool(third & 0x03),
        rec_empty=bool(third & 0x0C),
    )


class ProcessId(msgspec.Struct, frozen=True):
    """The answer to ``GS ( H``: everything before the request with this id is printed."""

    identifier: bytes


class PaperStatus(msgspec.Struct, frozen=True):
    """The answer to ``GS r 1``: everything before the request is processed."""

    facts: Facts


#: What a printer says: `Facts` = ASB, int = the byte that answers DLE EOT.
Answer = Facts | ProcessId | PaperStatus | int
#: 37 22 d1 d2 d3 d4 00. Source: Epson ESC/POS Command Reference, "GS ( H", function 48.
_ID_HEADER, _ID_BLOCK_BYTES = b"\x37\x22", 7


class StatusReader:
    """Splits the bytes that a printer sends by itself or when asked; keeps what is incomplete.

    Inside an ASB quadruple the next three bytes belong to it, XON and XOFF excepted.

    Args:
        has_process_id: Blocks of ``GS ( H`` are looked for.
        has_transmit_status: A bare ``0xx0xxxx`` is an answer to ``GS r``.
    """

    def __init__(self, *, has_process_id: bool = False, has_transmit_status: bool = False) -> None:
        self._has_process_id = has_process_id
        self._has_transmit_status = has_transmit_status
        self._asb = bytearray()
        self._block = bytearray()
        #: Bytes that fit no class: noise, or an answer that nobody waits for.
        self.unknown_count = 0

    def reset(self) -> None:
        """Forget what is incomplete."""
        self._asb.clear()
        self._block.clear()

    def feed(self, data: bytes) -> Iterator[Answer]:
        """Yield each complete answer, in order."""
        for byte in data:
            if byte in (_XON, _XOFF):
                continue
            answer = self._continued(byte) if self._block or self._asb else self._begun(byte)
            if answer is not None:
                yield answer

    def _continued(self, byte: int) -> Answer | None:
        if self._block:
            return self._in_block(byte)
        if byte & 0x90 == 0x00:
            self._asb.append(byte)
            if len(self._asb) < 4:
                return None
            quadruple, self._asb = bytes(self._asb), bytearray()
            return parse_asb(quadruple)
        self.unknown_count += len(self._asb)
        self._asb.clear()
        return self._begun(byte)

    def _in_block(self, byte: int) -> Answer | None:
        self._block.append(byte)
        if not self._block.startswith(_ID_HEADER[: len(self._block)]):
            self.unknown_count += len(self._block) - 1
            self._block.clear()
            return self._begun(byte)
        if len(self._block) < _ID_BLOCK_BYTES:
            return None
        block, self._block = bytes(self._block), bytearray()
        if block[-1]:
            self.unknown_count += len(block)
            return None
        return ProcessId(block[2:6])

    def _begun(self, byte: int) -> Answer | None:
        if byte == _ID_HEADER[0] and self._has_process_id:
            self._block.append(byte)
        elif byte & 0x93 == 0x10:
            self._asb.append(byte)
        elif is_dle_eot_reply(byte):
            return byte
        elif byte & 0x90 == 0x00 and self._has_transmit_status:
            return PaperStatus(parse_gs_r1(byte))
        else:
            self.unknown_count += 1
        return None
