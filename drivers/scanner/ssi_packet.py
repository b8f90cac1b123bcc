"""Packets of Zebra's Simple Serial Interface: build, check, name. Pure.

::

    length | opcode | source | status | data … | checksum (2, high byte first)
    length counts itself but not the checksum; checksum = two's complement of the sum of what it counts

Source: Simple Serial Interface Programmer's Guide 72E-40451; SE-923 Integration Guide 70-37052-01 chapter 6 (layout of
DECODE_DATA); the ACK of a decoder ``04 D0 00 00 FF 2C`` as published for GM67 units.
"""

from enum import IntEnum, IntFlag
from typing import Final

import msgspec

HEADER_BYTES: Final = 4
CHECKSUM_BYTES: Final = 2
MAX_LENGTH: Final = 255
SOURCE_DECODER: Final = 0
SOURCE_HOST: Final = 4


class Opcode(IntEnum):
    """Commands that the driver sends or understands."""

    REQUEST_REVISION = 0xA3
    REPLY_REVISION = 0xA4
    PARAM_SEND = 0xC6
    CMD_ACK = 0xD0
    CMD_NAK = 0xD1
    FLUSH_QUEUE = 0xD2
    START_SESSION = 0xE4
    STOP_SESSION = 0xE5
    BEEP = 0xE6
    SCAN_ENABLE = 0xE9
    SCAN_DISABLE = 0xEA
    DECODE_DATA = 0xF3
    EVENT = 0xF6


class Status(IntFlag):
    """Bits of the status byte.

    RETRANSMIT is in every edition; CONTINUES (more packets of this message follow) since the edition of 2015.
    """

    NONE = 0x00
    RETRANSMIT = 0x01
    CONTINUES = 0x02


class NakCause(IntEnum):
    """Why a packet was refused."""

    RESEND = 1
    BAD_CONTEXT = 2
    DENIED = 6


class Packet(msgspec.Struct, frozen=True):
    """One packet; `repr` hides the data, which may be a payment code."""

    opcode: int
    source: int
    status: int
    data: bytes

    def __repr__(self) -> str:
        """Show opcode, status and length."""
        return f"Packet(opcode={self.opcode:#04x}, status={self.status:#04x}, length={len(self.data)})"


def build(opcode: Opcode, data: bytes = b"", *, status: Status = Status.NONE) -> bytes:
    """Return the bytes of a packet from the host.

    Raises:
        ValueError: More than 251 bytes of data.
    """
    length = HEADER_BYTES + len(data)
    if length > MAX_LENGTH:
        raise ValueError(f"{len(data)} bytes do not fit into a packet")
    body = bytes((length, opcode, SOURCE_HOST, status)) + data
    return body + checksum(body)


def checksum(body: bytes) -> bytes:
    """Return the two bytes behind a packet."""
    return (-sum(body) & 0xFFFF).to_bytes(CHECKSUM_BYTES, "big")


def parse(data: bytes) -> Packet | None:
    """Return the packet that `data` is as a whole; None if length or checksum are wrong."""
    if len(data) < HEADER_BYTES + CHECKSUM_BYTES or len(data) != data[0] + CHECKSUM_BYTES:
        return None
    body, check = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    return Packet(body[1], body[2], body[3], body[HEADER_BYTES:]) if checksum(body) == check else None


#: Bar code type of DECODE_DATA → AIM identifier (ISO/IEC 15424). Source: Programmer's Guide, table of code types.
AIM_BY_TYPE: Final = {
    0x01: "]A0",  # Code 39
    0x02: "]F0",  # Codabar
    0x03: "]C0",  # Code 128
    0x06: "]I0",  # Interleaved 2 of 5
    0x07: "]G0",  # Code 93
    0x08: "]E0",  # UPC-A
    0x09: "]E0",  # UPC-E0
    0x0A: "]E4",  # EAN-8
    0x0B: "]E0",  # EAN-13
    0x0F: "]C1",  # GS1-128
    0x10: "]E0",  # UPC-E1
    0x11: "]L0",  # PDF417
    0x13: "]A4",  # Code 39 full ASCII
    0x1B: "]d1",  # Data Matrix
    0x1C: "]Q1",  # QR
    0x2D: "]z0",  # Aztec
    0x30: "]e0",  # GS1 DataBar
}
