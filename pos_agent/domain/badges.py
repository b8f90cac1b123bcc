"""Operator badges: a bar code that says who stands at the till, never that it is this person (screens.md section 3).

``OP`` + operator number (two digits or more) + 2 check digits, as Code 128. The PIN is asked as ever: a badge can be
copied with a telephone. Pure.
"""

import re
from typing import Final

_BADGE: Final = re.compile(r"OP(\d{2,8})(\d{2})", re.ASCII)


def make_badge(operator_no: str) -> str:
    """Return the text of a badge's bar code.

    Source:
        ISO/IEC 7064:2003, MOD 97-10: number and check digits together are congruent to 1 modulo 97.
    """
    if not (operator_no.isascii() and operator_no.isdigit() and 2 <= len(operator_no) <= 8):
        raise ValueError("an operator number has 2 to 8 digits")
    return f"OP{operator_no}{98 - int(operator_no) * 100 % 97:02d}"


def badge_operator_no(text: str) -> str:
    """Return the operator number of a badge; empty if `text` is none."""
    found = _BADGE.fullmatch(text.strip())
    return found[1] if found is not None and int(found[1] + found[2]) % 97 == 1 else ""
