"""The shop of the bench and the people at its till."""

import itertools
import secrets

import msgspec

MERCHANT_ID = "M-DEMO"
MERCHANT_NAME = "晨光便利店"


class Operator(msgspec.Struct, frozen=True):
    """A till operator. `role` is cashier or supervisor."""

    no: str
    name: str
    role: str
    pin: str


def random_pin(length: int = 4) -> str:
    """Return digits that no list of well-known PINs holds: the first four all different, no run."""
    while True:
        digits = [secrets.randbelow(10) for _ in range(length)]
        steps = {b - a for a, b in itertools.pairwise(digits)}
        if len(set(digits[:4])) == 4 and steps not in ({1}, {-1}):
            return "".join(map(str, digits))
