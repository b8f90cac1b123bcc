"""Identifiers: refund request ids, refund numbers, terminal ids (D5, D15)."""

import re

#: `98` + 18 random digits + 2 check digits.
REQUEST_ID_LENGTH = 22
REQUEST_ID_PREFIX = "98"
TAIL_LENGTH = 6
_REQUEST_ID = re.compile(r"98\d{20}")
_TERMINAL_ID = re.compile(r"t-[a-z0-9-]{1,38}")


def make_refund_request_id(random_18: int) -> str:
    """Build a refund request id from 18 random digits.

    Args:
        random_18: 0 … 10**18 - 1, from a cryptographic source that the caller owns.
    Returns:
        22 digits; the last two are the ISO 7064 MOD 97-10 check.
    Source:
        ISO/IEC 7064:2003, MOD 97-10 (section 7): the whole number is congruent to 1 modulo 97.
    """
    if not 0 <= random_18 < 10**18:
        raise ValueError("random_18 must have at most 18 digits")
    body = f"{REQUEST_ID_PREFIX}{random_18:018d}"
    return f"{body}{98 - int(body) * 100 % 97:02d}"


def is_refund_request_id(text: str) -> bool:
    """Return True if `text` is a well-formed refund request id with right check digits."""
    return _REQUEST_ID.fullmatch(text) is not None and text.isascii() and int(text) % 97 == 1


def refund_no(prefix: str, refund_request_id: str) -> str:
    """Return the refund number for an acquirer: a pure function of the request id (I1)."""
    return prefix + refund_request_id


def tail(number: str) -> str:
    """Return the last six characters, by which people name a request."""
    return number[-TAIL_LENGTH:]


def grouped(number: str) -> str:
    """Return the number in groups of four for reading aloud: "9812 3456 …"."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def is_terminal_id(text: str) -> bool:
    """Return True for `t-` and 1 … 38 of a–z, 0–9, dash: also the certificate's CN and MQTT client id."""
    return _TERMINAL_ID.fullmatch(text) is not None
