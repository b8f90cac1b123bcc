"""What a PIN must be, and what its hash costs (D22). Pure: hashing itself is the business of those who keep hashes."""

from itertools import pairwise
from typing import Final

#: OWASP password storage cheat sheet, argon2id: m = 19 MiB, t = 2, p = 1.
MEMORY_KIB: Final = 19_456
TIME_COST: Final = 2
PARALLELISM: Final = 1
#: PINs that every POS of the market ships with (payments.md section 5), and runs.
FACTORY_PINS: Final = frozenset(
    {"0000", "123456", "12345678", "1234", "000000", "00000000", "1111", "111111", "888888"}
)


class WeakPinError(ValueError):
    """The PIN is too short, too long, not digits, or one that everybody knows."""


def check_strength(pin: str) -> None:
    """Refuse PINs that are no secret.

    Raises:
        WeakPinError: Says what is wrong; another PIN helps.
    """
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 8):
        raise WeakPinError("a PIN has 4 to 8 digits")
    steps = {int(b) - int(a) for a, b in pairwise(pin)}
    if pin in FACTORY_PINS or len(set(pin)) == 1 or steps in ({1}, {-1}):
        raise WeakPinError("this PIN is known to everybody; choose another")


def is_operator_no(text: str) -> bool:
    """Return True for two digits, such as 01."""
    return len(text) == 2 and text.isascii() and text.isdigit()
