"""Setting up a Grow module: speed, when to scan, tail, AIM identifiers. For commissioning, on a port somebody named.

Each setting is written, answered, and read back; all are saved at the end, so that a power cut inside changes nothing.
"""

import contextlib
import os
import select
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from drivers.links.serial_port import SerialPort
from drivers.scanner.grow_frame import (
    GrowReply,
    Mode,
    Zone,
    find_reply,
    read_zone,
    save,
    set_baud,
    set_mode,
    write_zone,
)
from pos_agent.domain.events import DeviceName
from pos_agent.errors import DeviceTimeoutError, FailureError

#: A module answers within a character or two; decoding may hold it up.
ANSWER_S: Final = 0.5
_TAIL_BITS: Final = 0b0110_0000
_AIM_ON: Final = 0x80


class GrowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a till wants of a module.

    Attributes:
        mode: When it scans.
        baud: Its speed from then on.
        has_aim: It says which symbology it read.
    """

    mode: Mode = Mode.SENSING
    baud: int = 9600
    has_aim: bool = True


def set_up_grow(path: str, wanted: GrowSettings, *, baud: int = 9600, answer_s: float = ANSWER_S) -> None:
    """Write the settings, CR as the tail, and keep them; blocks.

    Args:
        path: The port that a person named.
        wanted: See `GrowSettings`.
        baud: The speed at which the module talks now.
        answer_s: How long to wait for each answer.
    Raises:
        DeviceTimeoutError: It does not answer.
        FailureError: It answers, but does not hold what was written.
        OSError: The port cannot be opened, or went away.
    """
    with _opened(path, baud) as fd:
        mode = _read_byte(fd, Zone.MODE, answer_s)
        _write(fd, set_mode(wanted.mode, current=mode), Zone.MODE, answer_s)
        tail = _read_byte(fd, Zone.TAIL, answer_s)
        _write(fd, write_zone(Zone.TAIL, bytes((tail & ~_TAIL_BITS & 0xFF,))), Zone.TAIL, answer_s)
        aim = bytes((_AIM_ON if wanted.has_aim else 0,))
        _write(fd, write_zone(Zone.AIM, aim), Zone.AIM, answer_s)
        if wanted.baud == baud:
            _ask(fd, save(), answer_s)
            return
        os.write(fd, set_baud(wanted.baud))  # whether the answer comes at the old or the new speed differs by firmware
        time.sleep(answer_s)
    with _opened(path, wanted.baud) as fd:
        _read_byte(fd, Zone.MODE, answer_s)
        _ask(fd, save(), answer_s)


def _write(fd: int, command: bytes, zone: Zone, answer_s: float) -> None:
    """Write one byte and read it back."""
    _ask(fd, command, answer_s)
    if _read_byte(fd, zone, answer_s) != command[6]:
        raise FailureError(DeviceName.SCANNER, f"zone {zone:04x} does not keep what was written")


def _read_byte(fd: int, zone: Zone, answer_s: float) -> int:
    reply = _ask(fd, read_zone(zone), answer_s)
    if len(reply.data) != 1:
        raise FailureError(DeviceName.SCANNER, f"zone {zone:04x} answers {len(reply.data)} bytes")
    return reply.data[0]


def _ask(fd: int, command: bytes, answer_s: float) -> GrowReply:
    """Send a command and return its answer; what was scanned meanwhile is thrown away."""
    os.write(fd, command)
    data = b""
    deadline_s = time.monotonic() + answer_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([fd], [], [], left_s)[0]:
            break
        data += os.read(fd, 4096)
        found = find_reply(data)
        if found is not None and found[2] is not None:
            return found[2]
    raise DeviceTimeoutError(DeviceName.SCANNER, "the module does not answer")


@contextlib.contextmanager
def _opened(path: str, baud: int) -> Iterator[int]:
    port = SerialPort(path, baud=baud)
    fd = port.acquire()
    try:
        yield fd
    finally:
        port.release(fd)
