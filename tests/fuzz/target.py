"""What a fuzz target is, and the register of all of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

#: Takes any bytes; returns for all that the code under test must cope with. Every exception is a finding.
Check = Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target.

    Attributes:
        name: As in ``make fuzz TARGET=``.
        make: Gives the check; what lasts over its examples (a database, a temporary folder) goes when it is left.
        seeds: Good inputs from which bad ones are made.
        words: Pieces that make the input go further.
        max_bytes: Of an input.
        quick_examples: How many `make test` tries.
    """

    name: str
    make: Callable[[], AbstractContextManager[Check]]
    seeds: Sequence[bytes] = (b"",)
    words: Sequence[bytes] = ()
    max_bytes: int = 2048
    quick_examples: int = 400


def plain(check: Check) -> Callable[[], AbstractContextManager[Check]]:
    """Return the maker of a check that needs nothing."""
    return lambda: nullcontext(check)
