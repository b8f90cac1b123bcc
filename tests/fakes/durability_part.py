"""Long searches in portions: make test takes one sixteenth, another one each day; make test-all takes everything."""

import os
import time
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")
PORTIONS = 16
#: Names the portion (0 … 15) of a run, to repeat one that failed on another day.
VARIABLE = "POS_AGENT_TEST_PORTION"
_DAY_S = 86_400


def portion_no() -> int:
    """Return which sixteenth is today's."""
    return int(os.environ.get(VARIABLE) or time.time() // _DAY_S) % PORTIONS


def portion(points: Sequence[_T]) -> Sequence[_T]:
    """Return today's sixteenth of the points, spread over all of them."""
    return points[portion_no() :: PORTIONS]
