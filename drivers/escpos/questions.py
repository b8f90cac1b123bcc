"""What commissioning asks a printer, and how an answer is told from noise. Pure.

Source: Epson ESC/POS Command Reference, "DLE EOT", "GS a", "GS r", "GS I", "GS ( H" function 48; USB Device Class
Definition for Printing Devices 1.1, section 4.2.2 (GET_PORT_STATUS); devices.md section 9 (classes of answers).
"""

from enum import StrEnum
from typing import Final

import msgspec

from drivers.escpos.status import DLE_EOT_REQUESTS, ENABLE_ASB, is_dle_eot_reply

#: Four letters that no printer says by itself.
_PROCESS_ID: Final = b"!cm!"


class Way(StrEnum):
    """A way to hear from a printer, in the order in which they are tried: what harms least comes first."""

    PORT_STATUS = "port_status"
    DLE_EOT = "dle_eot"
    ASB = "asb"
    GS_R = "gs_r"
    GS_I = "gs_i"
    GS_H = "gs_h"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        way: What it is about.
        label: Printed beside the place where a printer that does not know it leaves letters.
        requests: Sent one after the other; each must be answered.
        ends: Sent after an answer: it switches off what the question switched on.
    """

    way: Way
    label: str
    requests: tuple[bytes, ...]
    ends: bytes = b""


#: GS I 66 maker, 67 model, 65 firmware.
IDENTIFY: Final = (b"\x1dIB", b"\x1dIC", b"\x1dIA")
PROBES: Final = (
    Probe(way=Way.DLE_EOT, label="1 DLE EOT", requests=DLE_EOT_REQUESTS),
    Probe(way=Way.ASB, label="2 GS a", requests=(ENABLE_ASB,), ends=b"\x1da\x00"),
    Probe(way=Way.GS_R, label="3 GS r", requests=(b"\x1dr\x01",)),
    Probe(way=Way.GS_I, label="4 GS I", requests=IDENTIFY),
    Probe(way=Way.GS_H, label="5 GS ( H", requests=(b"\x1d(H\x06\x000" + b"0" + _PROCESS_ID,)),
)


def is_answer(way: Way, data: bytes) -> bool:
    """Return whether these bytes answer a question of this way, and are nothing else."""
    match way:
        case Way.DLE_EOT:
            return len(data) == 1 and is_dle_eot_reply(data[0])
        case Way.ASB:
            return len(data) == 4 and data[0] & 0x93 == 0x10 and all(byte & 0x90 == 0 for byte in data[1:])
        case Way.GS_R:
            return len(data) == 1 and data[0] & 0x90 == 0
        case Way.GS_I:
            return bool(text_of(data))
        case Way.GS_H:
            return data == b"\x37\x22" + _PROCESS_ID + b"\x00"
        case Way.PORT_STATUS:
            return len(data) == 1


def text_of(data: bytes) -> str:
    """Return the text of an answer to ``GS I``: ``_`` text NUL; "" if it is none."""
    if len(data) < 3 or data[:1] != b"_" or data[-1] or not all(0x20 <= byte <= 0x7E for byte in data[1:-1]):
        return ""
    return data[1:-1].decode("ascii").strip()
