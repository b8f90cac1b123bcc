"""Judges a kept history: what the bench saw against what the acquirer moved. Nothing of the product is asked.

Lost: a request that till or paper promised is not at the back office at the end, an approved one is not settled, or
the till never tells how it ended (I8). Doubled: money moved twice, too much or unasked, or a slip came twice unmarked
(I1, I2, I3, D13). Untrue: a screen or slip says what the ledger denies (I9), a final state changed (I5), a chain is
broken (I6). Leaked: a PIN or payment code stands in anything that was kept (I7).
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from hil.chaos import rules_cards, rules_doubled, rules_lost, rules_untrue
from hil.chaos.case import Case
from hil.chaos.history import HISTORY, LEDGER, Event, read_lines
from hil.chaos.leaks import find_secrets
from hil.chaos.tally import tally
from hil.chaos.verdict import Report, Violation

SECRETS: Final = "secrets.json"
#: Held by our own rig, not by the product.
_NOT_SEARCHED: Final = frozenset({SECRETS})


def check(history: Iterable[Event], ledger: Iterable[Event]) -> Report:
    """Judge a history."""
    case = Case(history, ledger)
    report = Report(
        kills=len(case.by_kind["kill"]),
        faults=len(case.by_kind["fault"]),
        attacks=sum(event["messages"] for event in case.by_kind["attack"]),
        refunds=len(case.request_ids),
        moved=len(case.movements),
        slips=len(case.by_kind["slip"]),
        screens=len(case.by_kind["screen"]),
        wires=tally(case.by_kind["frame"], case.by_kind["reopened"], case.by_kind["slip"]),
        unsettled=next((event["why"] for event in case.by_kind["unsettled"]), ""),
    )
    for rule in RULES:
        report.violations += dict.fromkeys(rule(case))
    return report


def check_folder(folder: Path) -> Report:
    """Judge a kept run, and search all its files for secrets."""
    report = check(read_lines(folder / HISTORY), read_lines(folder / LEDGER))
    report.violations += leaks(folder)
    return report


def leaks(folder: Path) -> list[Violation]:
    """I7: no PIN and no payment code in any file of the run."""
    path = folder / SECRETS
    if not path.exists():
        return []
    secrets = [str(one) for one in msgspec.json.decode(path.read_bytes())]
    files = find_secrets(folder, secrets, but=_NOT_SEARCHED)
    return [Violation("leaked", "I7", "", f"a secret stands in {name}") for name in files]


def leaks_at_cuts(case: Case) -> list[Violation]:
    """I7: what a power cut leaves on a till's disk holds no secret."""
    found = sorted({(event["till"], event["file"]) for event in case.by_kind["leak"]})
    return [Violation("leaked", "I7", "", f"a secret stood in {name} of {till}") for till, name in found]


RULES: Final[tuple[Callable[[Case], list[Violation]], ...]] = (
    rules_lost.lost_upwards,
    rules_lost.lost_on_the_way,
    rules_lost.lost_downwards,
    rules_lost.forgotten_acks,
    rules_untrue.untrue_stored,
    rules_untrue.untrue_at_the_end,
    rules_doubled.unasked_requests,
    rules_doubled.other_numbers,
    rules_doubled.doubled_money,
    rules_doubled.overdrawn_sales,
    rules_doubled.unasked_money,
    rules_doubled.doubled_decisions,
    rules_doubled.doubled_slips,
    rules_untrue.untrue_money,
    rules_untrue.untrue_rows,
    rules_untrue.untrue_amounts,
    rules_untrue.changed_finals,
    rules_untrue.bill_differs,
    rules_untrue.failures,
    rules_cards.copies_are_stopped,
    rules_cards.refusals_are_alarmed,
    rules_cards.losses_are_alarmed,
    rules_cards.false_alarms,
    rules_cards.restores_are_alarmed,
    leaks_at_cuts,
)
