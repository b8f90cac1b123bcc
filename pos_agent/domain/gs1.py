"""What a GS1 code says: element strings and the GTIN among them. Pure.

::

    ]C1 01 06901234567892 17 261123 10 ABC123 <GS> 21 42
        AI GTIN-14        AI date   AI batch       AI serial

Sources: GS1 General Specifications 7.8.4 (element strings of predefined length, FNC1 as <GS> after all others), 3.2
(lengths of the application identifiers) and 7.9.1 (check digit); AIM identifiers of GS1 carriers: ISO/IEC 15424.
"""

from typing import Final

#: Carriers whose data are element strings: GS1-128, DataBar, GS1 DataMatrix, GS1 QR.
GS1_CARRIERS: Final = ("]C1", "]e0", "]d2", "]Q3")
#: Carriers of a bare GTIN: EAN-13, UPC-A and UPC-E; EAN-8.
EAN_CARRIERS: Final = ("]E0", "]E3", "]E4")
_SEPARATOR: Final = "\x1d"
_GTIN_LENGTH: Final = 14
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


def gtin_of(message: str) -> str:
    """Return the GTIN of a message of element strings, wherever it stands in it: 14 digits, check digit not looked at.

    Args:
        message: Data of one of `GS1_CARRIERS`, without AIM identifier.
    Returns:
        Empty if the message names none, is cut off, or holds what is no application identifier.
    """
    found = (value for ai, value in split_elements(message) if ai == "01")
    gtin = next(found, "")
    return gtin if len(gtin) == _GTIN_LENGTH and gtin.isascii() and gtin.isdigit() else ""


def split_elements(message: str) -> tuple[tuple[str, str], ...]:
    """Return (application identifier, value) in order; empty if the message is cut off or no element string."""
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


def has_right_check_digit(digits: str) -> bool:
    """Check a GTIN: EAN-13, EAN-8, UPC-A or 14 digits.

    Source:
        GS1 General Specifications, section 7.9.1: modulo 10, weights 3 and 1 from the right, check digit excluded.
    """
    body, check = digits[:-1], int(digits[-1])
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return (10 - total % 10) % 10 == check


def _end_of(rest: str) -> int:
    end = rest.find(_SEPARATOR)
    return len(rest) if end < 0 else end
