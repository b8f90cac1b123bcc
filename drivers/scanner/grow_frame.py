"""Command frames of Grow GM65 and GM8xx modules: build, check, and the zones that commissioning sets. Pure.

::

    7E 00 | type | length | address (2) | data … | CRC (2)        host → module
    02 00 | type | length | data …               | CRC (2)        module → host; 03 00 answers a heartbeat
    CRC = XMODEM (polynomial 1021, start 0), high byte first, over all but the two bytes in front and itself

Source: GM65 and GM812 manuals, appendix A and B, as transcribed publicly; the CRC rule holds for every published pair
of frame and CRC (``09 01 00 00 00`` → DE C8, ``08 02 00 2A 39 01`` → A7 EA, ``0A 01 00 00 00`` → 30 1A).
"""

from enum import IntEnum
from typing import Final

import msgspec

COMMAND_HEAD: Final = b"\x7e\x00"
REPLY_HEAD: Final = b"\x02\x00"
HEARTBEAT_HEAD: Final = b"\x03\x00"
_HEAD_BYTES: Final = 2
_PREFIX_BYTES: Final = 4
_CRC_BYTES: Final = 2
_MAX_DATA_BYTES: Final = 255
_POLYNOMIAL: Final = 0x1021


class CommandType(IntEnum):
    """What a command does."""

    READ = 0x07
    WRITE = 0x08
    SAVE = 0x09
    HEARTBEAT = 0x0A


class Zone(IntEnum):
    """Addresses of settings.

    Source: GM65 manual, zone bit table; the tail is bits 6-5 of 0060 (CR, CRLF, TAB, none) in two transcriptions of it.
    """

    MODE = 0x0000
    TRIGGER = 0x0002
    OUTPUT = 0x000D
    BAUD = 0x002A
    TAIL = 0x0060
    AIM = 0x00D0


class Mode(IntEnum):
    """Bits 1-0 of zone 0000: when the module scans."""

    MANUAL = 0b00
    COMMAND = 0b01
    CONTINUOUS = 0b10
    SENSING = 0b11


#: Baud → value of zone 002A, low byte first: 3,000,000 / baud, rounded up for 9600 and down for the rest.
#: Source: GM65 manual, baud table; 39 01 for 9600 and 1A 00 for 115200 are published with their frames.
BAUDS: Final = {
    1200: 0x09C4,
    4800: 0x0271,
    9600: 0x0139,
    14400: 0x00D0,
    19200: 0x009C,
    38400: 0x004E,
    57600: 0x0034,
    115200: 0x001A,
}


class GrowReply(msgspec.Struct, frozen=True):
    """What a module answered: a zone's bytes, or 00 for done."""

    is_heartbeat: bool
    type: int
    data: bytes


def crc16(data: bytes) -> int:
    """Return CRC-16/XMODEM."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ _POLYNOMIAL if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def command(kind: CommandType, address: int, data: bytes) -> bytes:
    """Return the bytes of a command.

    Raises:
        ValueError: No data, or more than 255 bytes.
    """
    if not 1 <= len(data) <= _MAX_DATA_BYTES:
        raise ValueError(f"{len(data)} bytes of data")
    body = bytes((kind, len(data))) + address.to_bytes(2, "big") + data
    return COMMAND_HEAD + body + crc16(body).to_bytes(_CRC_BYTES, "big")


def read_zone(address: int, count: int = 1) -> bytes:
    """Return the command that reads `count` bytes."""
    return command(CommandType.READ, address, bytes((count,)))


def write_zone(address: int, data: bytes) -> bytes:
    """Return the command that writes; lost at power-off unless `save` follows."""
    return command(CommandType.WRITE, address, data)


def save() -> bytes:
    """Return the command that keeps all settings."""
    return command(CommandType.SAVE, 0, b"\x00")


def heartbeat() -> bytes:
    """Return the command that any awake module answers."""
    return command(CommandType.HEARTBEAT, 0, b"\x00")


def set_baud(baud: int) -> bytes:
    """Return the command that changes the speed, from its answer on.

    Raises:
        ValueError: A speed that the manual does not list.
    """
    value = BAUDS.get(baud)
    if value is None:
        raise ValueError(f"no value for {baud} baud")
    return write_zone(Zone.BAUD, value.to_bytes(2, "little"))


def set_mode(mode: Mode, *, current: int) -> bytes:
    """Return the command that chooses when to scan; the other bits of `current` stay."""
    return write_zone(Zone.MODE, bytes((current & ~0b11 & 0xFF | mode,)))


def trigger() -> bytes:
    """Return the command that starts one scan in command mode."""
    return write_zone(Zone.TRIGGER, b"\x01")


def find_reply(data: bytes) -> tuple[int, int, GrowReply | None] | None:
    """Look for an answer among scanned bytes.

    Returns:
        Start, end and answer; the answer is None while its rest may be on its way; None if there is no answer.
    """
    for start in range(len(data)):
        head = data[start : start + _HEAD_BYTES]
        if not any(one.startswith(head) for one in (REPLY_HEAD, HEARTBEAT_HEAD)):
            continue
        rest = data[start:]
        if len(rest) >= _HEAD_BYTES + 1 and rest[_HEAD_BYTES] != 0:
            continue  # the type of an answer is 00
        if len(rest) < _PREFIX_BYTES or len(rest) < _PREFIX_BYTES + rest[3] + _CRC_BYTES:
            return start, len(data), None
        end = _PREFIX_BYTES + rest[3]
        if crc16(rest[_HEAD_BYTES:end]).to_bytes(_CRC_BYTES, "big") == rest[end : end + _CRC_BYTES]:
            reply = GrowReply(head == HEARTBEAT_HEAD, rest[2], rest[_PREFIX_BYTES:end])
            return start, start + end + _CRC_BYTES, reply
    return None
