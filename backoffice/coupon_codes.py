"""The code of a coupon: digits that a cash desk can scan or type, and what is kept of them. Pure."""

import hashlib
import re
from typing import Final

#: Random digits; with scrypt between a guess and an answer nobody tries 10^16 of them.
RANDOM_DIGITS: Final = 16
#: Begins no payment code (10–15, 25–30, 62, 01; payments.md section 3) and no request of ours (98).
_PREFIX: Final = "70"
_CODE: Final = re.compile(rf"{_PREFIX}\d{{{RANDOM_DIGITS + 2}}}", re.ASCII)
_BLANKS: Final = re.compile(r"[\s-]+")
#: About 10 ms and 4 MiB for a try. The salt is the same for all: a code is looked up by its digest alone.
_COST: Final = {"n": 4096, "r": 8, "p": 1, "dklen": 32}
_SALT: Final = b"pos-agent coupon 1"


def make_code(random_16: int) -> str:
    """Build a code from 16 random digits.

    Args:
        random_16: 0 … 10**16 - 1, from a cryptographic source.
    Returns:
        20 digits; the last two are the ISO 7064 MOD 97-10 check, as of a request id.
    """
    if not 0 <= random_16 < 10**RANDOM_DIGITS:
        raise ValueError("random_16 must have at most 16 digits")
    body = f"{_PREFIX}{random_16:0{RANDOM_DIGITS}d}"
    return f"{body}{98 - int(body) * 100 % 97:02d}"


def read_code(text: str) -> str:
    """Return the digits of a code as it was scanned or typed, in groups or not; empty if it is none or misread."""
    digits = _BLANKS.sub("", text)
    return digits if _CODE.fullmatch(digits) is not None and int(digits) % 97 == 1 else ""


def digest(code: str) -> str:
    """Return what is kept of a code, 64 hex digits. Takes its time on purpose: before a transaction where it can be."""
    return hashlib.scrypt(code.encode(), salt=_SALT, **_COST).hex()
