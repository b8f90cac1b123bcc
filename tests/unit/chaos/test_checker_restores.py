"""What an older database or card may forget, and what not; second cards; alarms: each allowed and each broken."""

import copy
from collections.abc import Callable

import pytest

from hil.chaos.checker import check
from tests.unit.chaos.history import ID, TILL, Event, result_screen, sane_history, sane_ledger, slip

History = list[Event]


def add(history: History, at: float, kind: str, **values: object) -> None:
    history.append({"t": at, "kind": kind, **values})
    history.sort(key=lambda event: event["t"])


def told(history: History, at: float, name: str, till: str = "", boot_id: str = "") -> None:
    add(history, at, "alarm", name=name, till=till, boot_id=boot_id)


def restore(history: History, made: float, at: float = 5.0) -> None:
    add(history, at, "restore", made=made)
    told(history, at + 0.1, "restored")


def row_again(history: History, at: float, state: str) -> None:
    row = copy.deepcopy(next(one for one in history if one["kind"] == "row"))
    add(history, at, "row", **{**{k: v for k, v in row.items() if k not in ("t", "kind")}, "state": state})


def asked_again(history: History, at: float) -> None:
    add(history, at, "wire", type="sync.reply", till=TILL, wanted=[ID], boot_id="b")


def decided_again(history: History, at: float) -> None:
    again = copy.deepcopy(next(one for one in history if one["kind"] == "decision"))
    add(history, at, "decision", **{k: v for k, v in again.items() if k not in ("t", "kind")})


def card(history: History, made: float, at: float = 5.0) -> None:
    add(history, at, "old_card", till=TILL, made=made)


def lose_all_but(history: History, *kinds: str) -> None:
    """Drop the request itself from the back office, the wire and all but some kinds of what a till showed."""
    gone = {"row", "final_row", "wire", "asked", "decision", "screen", "slip", "settled"} - set(kinds)
    history[:] = [one for one in history if one["kind"] not in gone]


def clone(history: History) -> None:
    add(history, 5.0, "clone", till=TILL, copy=f"{TILL}-copy-1", boot_id="copied", started=4.9)
    add(
        history,
        5.1,
        "wire",
        type="ack",
        till=TILL,
        refund_request_id="",
        status="conflict",
        about="sync",
        boot_id="copied",
    )
    add(history, 6.0, "clone_end", till=TILL, copy=f"{TILL}-copy-1")


def restored_since(history: History, _: History) -> None:
    restore(history, made=1.0)
    row_again(history, 5.5, "executing")
    row_again(history, 5.9, "succeeded")
    asked_again(history, 5.2)
    decided_again(history, 5.7)


def card_prints_and_says_again(history: History, _: History) -> None:
    card(history, made=1.05)
    add(history, 5.5, "slip", till=TILL, lines=slip("REFUNDED"), cut="partial")
    add(history, 5.6, "screen", till=TILL, lines=result_screen("申请  退款成功", "钱已退"))


def card_forgets_states(history: History, _: History) -> None:
    item = {"refund_request_id": ID, "state": "reviewing", "epoch": 1, "seq": 2}
    card(history, made=4.0)
    add(history, 5.1, "kill", what=TILL)
    add(history, 5.6, "wire", type="sync", till=TILL, conn_seq=77, items=[item])


def copy_speaks_before_its_start_is_noted(history: History, _: History) -> None:
    clone(history)
    told(history, 5.5, "clone_suspected", TILL, "copied")
    item = {"refund_request_id": ID, "state": "reviewing", "epoch": 1, "seq": 2}
    add(history, 4.89, "kill", what=TILL)
    add(history, 4.95, "wire", type="sync", till=TILL, conn_seq=77, items=[item])


def card_takes_an_unsent_request_along(history: History, ledger: History) -> None:
    ledger.clear()
    lose_all_but(history)
    add(history, 1.0, "screen", till=TILL, lines=result_screen("已保存 等待上传", "结果待确认"))
    card(history, made=0.5, at=2.0)


def card_forgets_a_stored_request_and_it_is_alarmed(history: History, _: History) -> None:
    card(history, made=0.5)
    told(history, 6.0, "terminal_went_back", TILL)


def copy_is_refused_and_alarmed(history: History, _: History) -> None:
    clone(history)
    told(history, 5.5, "clone_suspected", TILL, "copied")


def alarm_is_read_long_before_a_stalled_broker_brings_the_refusal(history: History, _: History) -> None:
    clone(history)
    told(history, 5.0, "clone_suspected", TILL, "copied")
    refusal = next(one for one in history if one.get("about") == "sync")
    refusal["t"] = 9.2


ALLOWED: list[Callable[[History, History], None]] = [
    restored_since,
    card_prints_and_says_again,
    card_forgets_states,
    copy_speaks_before_its_start_is_noted,
    card_takes_an_unsent_request_along,
    card_forgets_a_stored_request_and_it_is_alarmed,
    copy_is_refused_and_alarmed,
    alarm_is_read_long_before_a_stalled_broker_brings_the_refusal,
]


@pytest.mark.parametrize("happen", ALLOWED)
def test_check_what_a_restore_may_forget_is_no_violation(happen: Callable[[History, History], None]) -> None:
    history, ledger = sane_history(), sane_ledger()
    happen(history, ledger)
    assert check(history, ledger).violations == []


def change_an_end_that_the_copy_had(history: History, _: History) -> None:
    restore(history, made=4.5)
    row_again(history, 5.5, "unknown")


def ask_for_what_the_copy_had(history: History, _: History) -> None:
    restore(history, made=4.5)
    asked_again(history, 5.2)


def ask_without_a_restore(history: History, _: History) -> None:
    asked_again(history, 5.2)


def decide_twice_after_a_restore(history: History, _: History) -> None:
    restore(history, made=1.0)
    decided_again(history, 5.6)
    decided_again(history, 5.7)


def tell_nobody_of_the_restore(history: History, _: History) -> None:
    add(history, 5.0, "restore", made=1.0)


def print_twice_on_one_card(history: History, _: History) -> None:
    card(history, made=1.05)
    for at in (5.5, 5.7):
        add(history, at, "slip", till=TILL, lines=slip("REFUNDED"), cut="partial")


def forget_a_state_that_the_card_had(history: History, _: History) -> None:
    item = {"refund_request_id": ID, "state": "reviewing", "epoch": 1, "seq": 2}
    card(history, made=4.45)
    add(history, 5.1, "kill", what=TILL)
    add(history, 5.6, "wire", type="sync", till=TILL, conn_seq=77, items=[item])


def lose_a_printed_request_with_the_card(history: History, ledger: History) -> None:
    ledger.clear()
    lose_all_but(history)
    add(history, 1.0, "screen", till=TILL, lines=result_screen("已保存 等待上传", "结果待确认"))
    add(history, 1.1, "slip", till=TILL, lines=slip("REFUND REQUEST", copy_of="MERCHANT"), cut="partial")
    card(history, made=0.5, at=2.0)


def lose_an_acknowledged_request_with_the_card(history: History, ledger: History) -> None:
    ledger.clear()
    lose_all_but(history)
    add(history, 1.0, "screen", till=TILL, lines=result_screen("已保存 等待上传", "结果待确认"))
    add(history, 1.6, "wire", type="ack", till=TILL, refund_request_id=ID, status="stored", about="refund.request")
    card(history, made=0.5, at=2.0)
    told(history, 3.0, "terminal_went_back", TILL)


def lose_a_request_that_the_card_had(history: History, ledger: History) -> None:
    ledger.clear()
    lose_all_but(history)
    add(history, 1.0, "screen", till=TILL, lines=result_screen("已保存 等待上传", "结果待确认"))
    card(history, made=1.5, at=2.0)


def forget_a_stored_request_unnoticed(history: History, _: History) -> None:
    card(history, made=0.5)


def take_a_copy_for_the_till(history: History, _: History) -> None:
    clone(history)
    told(history, 5.5, "clone_suspected", TILL, "copied")
    add(history, 5.3, "wire", type="sync.reply", till=TILL, wanted=[], boot_id="copied")


def refuse_a_copy_and_tell_nobody(history: History, _: History) -> None:
    clone(history)


def refuse_a_second_boot_and_tell_of_the_first_alone(history: History, _: History) -> None:
    clone(history)
    told(history, 5.5, "clone_suspected", TILL, "copied")
    again = {"till": TILL, "refund_request_id": "", "status": "conflict", "about": "sync", "boot_id": "again"}
    add(history, 5.9, "wire", type="ack", **again)


def take_the_till_for_a_copy(history: History, _: History) -> None:
    told(history, 5.5, "clone_suspected", TILL)


def say_that_the_till_has_another_chain(history: History, _: History) -> None:
    told(history, 5.5, "audit_fork", TILL)


BROKEN: list[tuple[str, Callable[[History, History], None]]] = [
    ("untrue", change_an_end_that_the_copy_had),
    ("lost", ask_for_what_the_copy_had),
    ("lost", ask_without_a_restore),
    ("doubled", decide_twice_after_a_restore),
    ("lost", tell_nobody_of_the_restore),
    ("doubled", print_twice_on_one_card),
    ("lost", forget_a_state_that_the_card_had),
    ("lost", lose_a_printed_request_with_the_card),
    ("lost", lose_an_acknowledged_request_with_the_card),
    ("lost", lose_a_request_that_the_card_had),
    ("lost", forget_a_stored_request_unnoticed),
    ("doubled", take_a_copy_for_the_till),
    ("lost", refuse_a_copy_and_tell_nobody),
    ("lost", refuse_a_second_boot_and_tell_of_the_first_alone),
    ("untrue", take_the_till_for_a_copy),
    ("untrue", say_that_the_till_has_another_chain),
]


@pytest.mark.parametrize(("kind", "happen"), BROKEN, ids=[one.__name__ for _, one in BROKEN])
def test_check_what_a_restore_may_not_do_is_found(kind: str, happen: Callable[[History, History], None]) -> None:
    history, ledger = sane_history(), sane_ledger()
    happen(history, ledger)
    assert check(history, ledger).count(kind) > 0
