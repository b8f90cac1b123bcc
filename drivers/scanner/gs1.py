"""What a GS1 code says: GTIN and element strings. Pure, but for the import of biip, which checks more when installed.

::

    ]C1 01 06901234567892 17 261123 10 ABC123 <GS> 21 42
        AI GTIN-14        AI date   AI batch       AI serial

Sources: GS1 General Specifications 7.8.4 (element strings of predefined length, FNC1 as <GS> after all others) and 3.2
(lengths of the application identifiers); AIM identifiers of GS1 carriers: ISO/IEC 15424.
"""

import importlib.util
from functools import cache
from typing import Final

import msgspec

from pos_agent.domain.codes import has_right_check_digit

#: Carriers whose data are element strings: GS1-128, DataBar, GS1 DataMatrix, GS1 QR.
GS1_CARRIERS: Final = ("]C1", "]e0", "]d2", "]Q3")
#: Carriers of a bare GTIN: EAN-13, UPC-A, UPC-E; EAN-8.
_EAN_CARRIERS: Final = ("]E0", "]E3", "]E4")
_SEPARATOR: Final = "\x1d"
_GTIN_LENGTHS: Final = (8, 12, 13, 14)
#: First two digits of the AI → length of AI and data together.
_PREDEFINED: Final = {
    "00": 20,
    "01": 16,
    "02": 16,
    "03": 16,
    "04": 18,
    **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17", "18", "19"), 8),
    "20": 4,
    **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 10),
    "41": 16,
}
#: First two digits of the AI → length of the AI, where it is not two.
_AI_LENGTHS: Final = {
    **dict.fromkeys(("23", "24", "25", "40", "41", "42", "71"), 3),
    **dict.fromkeys(("31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"), 4),
}


class Gs1Content(msgspec.Struct, frozen=True):
    """A code of goods.

    Attributes:
        gtin: 14 digits, right check digit; empty if the code names none.
        elements: (application identifier, value) in order.
    """

    gtin: str
    elements: tuple[tuple[str, str], ...] = ()


def parse_gs1(label: str, scan_data_type: str) -> Gs1Content | None:
    """Return what a code of goods says; None if it is none, or is none that can be trusted.

    Args:
        label: Without AIM identifier.
        scan_data_type: The AIM identifier; without one nothing is guessed.
    """
    if scan_data_type.startswith(_EAN_CARRIERS):
        gtin = _gtin(label)
        return Gs1Content(gtin) if gtin else None
    if scan_data_type not in GS1_CARRIERS:
        return None
    elements = split_elements(label)
    if not elements or (_has_biip() and not _is_accepted_by_biip(scan_data_type + label)):
        return None
    gtin = next((_gtin(value) for ai, value in elements if ai == "01"), "")
    is_wrong = any(ai == "01" for ai, _ in elements) and not gtin
    return None if is_wrong else Gs1Content(gtin, elements)


def split_elements(message: str) -> tuple[tuple[str, str], ...]:
    """Return the element strings of a message; empty if it is cut off or has what is no application identifier."""
    found: list[tuple[str, str]] = []
    rest = message.lstrip(_SEPARATOR)
    while rest:
        head = rest[:2]
        if not (len(head) == 2 and head.isascii() and head.isdigit()):  # an AI begins with two digits
            return ()
        ai_length = _AI_LENGTHS.get(head, 2)
        predefined = _PREDEFINED.get(head)
        end = predefined if predefined is not None else _end_of(rest)
        if len(rest) < end or end <= ai_length:
            return ()
        found.append((rest[:ai_length], rest[ai_length:end]))
        rest = rest[end:].lstrip(_SEPARATOR)
    return tuple(found)


def _end_of(rest: str) -> int:
    end = rest.find(_SEPARATOR)
    return len(rest) if end < 0 else end


def _gtin(digits: str) -> str:
    is_number = digits.isascii() and digits.isdigit() and len(digits) in _GTIN_LENGTHS
    return digits.zfill(14) if is_number and has_right_check_digit(digits) else ""


@cache
def _has_biip() -> bool:
    return importlib.util.find_spec("biip") is not None


def _is_accepted_by_biip(data: str) -> bool:
    import biip  # noqa: PLC0415 - the extra gs1: 103 ms and 25 MB, for shops that scan goods

    try:
        return biip.parse(data).gs1_message is not None
    except biip.ParseError:
        return False
