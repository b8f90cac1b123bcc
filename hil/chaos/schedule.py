"""The fault schedule: which fault, when and for how long, and what the acquirer answers: all from the seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

#: Fault → weight. What kills comes often: the contract is about kills.
WEIGHTS: Final = {
    "kill_till": 30,
    "kill_office": 16,
    "kill_broker": 8,
    "stop_broker": 3,
    "wipe_broker": 4,
    "stall_broker": 3,
    "stall_office": 3,
    "proxy_reset": 6,
    "proxy_half_open": 5,
    "proxy_slow": 4,
    "proxy_refuse": 4,
    "attack": 14,
    "paper_end": 4,
    "cover_open": 2,
    "printer_unplug": 3,
    "printer_power": 2,
    "printer_busy": 2,
    "scanner_noise": 3,
    "scanner_half_frame": 2,
    "scanner_unplug": 2,
    "keypad_unplug": 1,
    "clock": 2,
    "kill_database": 4,
    "back_up_office": 4,
    "restore_office": 2,
    "image_card": 2,
    "old_card": 2,
    "clone_card": 2,
    "clock_jumps": 2,
    "swap_certificate": 2,
}
#: What the acquirer answers, in a mix; most refunds go well.
_ANSWERS: Final = (
    *("accepted",) * 10,
    *("processing",) * 4,
    *("timeout",) * 4,
    *("timeout:lost",) * 2,
    "failed:NOT_ENOUGH",
    "failed:USER_ACCOUNT_ABNORMAL",
    "abnormal",
)


class Step(msgspec.Struct, frozen=True):
    """One fault of the schedule.

    Attributes:
        pause_s: Before it.
        fault: A key of `WEIGHTS`.
        target: Which till or which proxy: 0, 1, 2.
        hold_s: How long it lasts.
        pick: For choices within the fault.
    """

    pause_s: float
    fault: str
    target: int
    hold_s: float
    pick: int


def schedule(seed: int, only: Sequence[str] = ()) -> Iterator[Step]:
    """Yield the faults of a seed, without end; `only` these, or all."""
    random_ = random.Random(seed)
    names = [name for name in WEIGHTS if name in only or not only]
    weights = [WEIGHTS[name] for name in names]
    while True:
        yield Step(
            pause_s=random_.uniform(0.2, 2.2),
            fault=random_.choices(names, weights)[0],
            target=random_.randrange(3),
            hold_s=random_.uniform(0.1, 3.0),
            pick=random_.randrange(1 << 30),
        )


def acquirer_answers(seed: int, count: int) -> list[str]:
    """Return what the acquirer answers to the next refunds."""
    return random.Random(seed).choices(_ANSWERS, k=count)
