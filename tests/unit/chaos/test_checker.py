"""The checker must be able to fail: each broken promise, fed as a history, is found."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.chaos.__main__ import main
from hil.chaos.checker import SECRETS, check, check_folder
from hil.chaos.history import HISTORY, LEDGER
from tests.unit.chaos.history import GROUPED, ID, TILL, Event, moved, result_screen, sane_history, sane_ledger, slip

History = list[Event]
Break = Callable[[History, History], None]


def keep(folder: Path, history: History, ledger: History) -> None:
    for name, lines in ((HISTORY, history), (LEDGER, ledger)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def add(history: History, at: float, kind: str, **values: object) -> None:
    history.append({"t": at, "kind": kind, **values})
    history.sort(key=lambda event: event["t"])


def drop(history: History, kind: str) -> None:
    history[:] = [event for event in history if event["kind"] != kind]


def screen(history: History, at: float, head: str, money: str) -> None:
    add(history, at, "screen", till=TILL, lines=result_screen(head, money))


def lose_the_request(history: History, ledger: History) -> None:
    drop(history, "final_row")
    drop(history, "row")
    ledger.clear()


def leave_it_unsettled(history: History, _ledger: History) -> None:
    next(one for one in history if one["kind"] == "final_row")["state"] = "executing"


def never_tell_the_till(history: History, _ledger: History) -> None:
    history[:] = [one for one in history if "钱已退" not in str(one) and "REFUNDED" not in str(one)]


def move_twice(_history: History, ledger: History) -> None:
    ledger.append(moved(at=3.5))


def move_under_another_number(_history: History, ledger: History) -> None:
    ledger.append(moved(f"R{ID}-2", at=3.5))


def overdraw_the_sale(history: History, _ledger: History) -> None:
    history[0]["base_refunded_minor"] = 1


def move_without_approval(history: History, _ledger: History) -> None:
    drop(history, "asked")


def invent_a_request(history: History, _ledger: History) -> None:
    add(history, 9.1, "final_row", refund_request_id="9850244589784901396437", state="rejected")


def take_a_stale_decision(history: History, _ledger: History) -> None:
    again = copy.deepcopy(next(one for one in history if one["kind"] == "decision"))
    history.append({**again, "is_stale": True, "version": 0})


def decide_twice(history: History, _ledger: History) -> None:
    again = copy.deepcopy(next(one for one in history if one["kind"] == "decision"))
    history.append({**again, "decision": "reject"})


def print_twice(history: History, _ledger: History) -> None:
    add(history, 5.0, "slip", till=TILL, lines=slip("REFUNDED"), cut="partial")


def say_paid_too_early(history: History, _ledger: History) -> None:
    screen(history, 2.2, "申请  退款成功", "钱已退")


def print_paid_too_early(history: History, ledger: History) -> None:
    ledger[0] = moved(at=4.6)


def say_never_and_pay(history: History, _ledger: History) -> None:
    screen(history, 2.2, "申请  已驳回", "没有退钱")


def say_not_yet_for_ever(history: History, _ledger: History) -> None:
    for event in history:
        if event["t"] > 7:
            event["t"] += 100
    screen(history, 6.0, "申请  审核中", "钱还没退")


def say_submitted_too_early(history: History, _ledger: History) -> None:
    next(one for one in history if one["kind"] == "row")["t"] = 2.0


def change_a_final_state(history: History, _ledger: History) -> None:
    row = copy.deepcopy(next(one for one in history if one["kind"] == "row"))
    history.append({**row, "t": 5.0, "state": "unknown"})


def take_back_a_final_screen(history: History, _ledger: History) -> None:
    screen(history, 5.0, "申请  退款成功", "钱已退")
    screen(history, 6.0, "申请  退款处理中", "结果待确认")


def be_wrong_at_the_end(history: History, _ledger: History) -> None:
    screen(history, 8.4, "申请  审核中", "钱还没退")


def name_two_amounts(history: History, _ledger: History) -> None:
    add(history, 5.0, "screen", till=TILL, lines=result_screen("申请  退款成功", "钱已退", "￥132.87"))


def break_a_trail(history: History, _ledger: History) -> None:
    next(one for one in history if one["kind"] == "final_row")["is_trail_whole"] = False


def forget_an_acknowledged_state(history: History, _ledger: History) -> None:
    item = {"refund_request_id": ID, "state": "reviewing", "epoch": 1, "seq": 2}
    add(history, 2.9, "wire", type="state.ack", till=TILL, refund_request_id=ID, epoch=1, seq=3)
    add(history, 3.6, "wire", type="sync", till=TILL, conn_seq=77, items=[item])


def forget_an_acknowledged_request(history: History, _ledger: History) -> None:
    add(history, 3.6, "wire", type="sync.reply", till=TILL, wanted=[ID])


def succeed_without_money(_history: History, ledger: History) -> None:
    ledger.clear()


def fail_inside(history: History, _ledger: History) -> None:
    add(history, 3.0, "failure", path="/api/requests", status=500, text="Internal Server Error")


def bill_another_amount(history: History, _ledger: History) -> None:
    add(history, 9.1, "bill", differences=[{"kind": "amount", "refund_request_id": ID, "is_new": True}])


def leave_a_pin_on_the_disk(history: History, _ledger: History) -> None:
    add(history, 3.0, "leak", till=TILL, file="draft.db-wal")


BREAKS: list[tuple[str, Break]] = [
    ("lost", lose_the_request),
    ("lost", leave_it_unsettled),
    ("lost", never_tell_the_till),
    ("lost", forget_an_acknowledged_state),
    ("lost", forget_an_acknowledged_request),
    ("doubled", move_twice),
    ("doubled", move_under_another_number),
    ("doubled", overdraw_the_sale),
    ("doubled", move_without_approval),
    ("doubled", invent_a_request),
    ("doubled", take_a_stale_decision),
    ("doubled", decide_twice),
    ("doubled", print_twice),
    ("untrue", say_paid_too_early),
    ("untrue", print_paid_too_early),
    ("untrue", say_never_and_pay),
    ("untrue", say_not_yet_for_ever),
    ("untrue", say_submitted_too_early),
    ("untrue", change_a_final_state),
    ("untrue", take_back_a_final_screen),
    ("untrue", be_wrong_at_the_end),
    ("untrue", name_two_amounts),
    ("untrue", break_a_trail),
    ("untrue", succeed_without_money),
    ("untrue", fail_inside),
    ("untrue", bill_another_amount),
    ("leaked", leave_a_pin_on_the_disk),
]


def test_check_sane_history_finds_nothing(tmp_path: Path) -> None:
    keep(tmp_path, sane_history(), sane_ledger())
    report = check_folder(tmp_path)
    assert report.violations == []
    assert (report.refunds, report.moved, report.kills, report.slips) == (1, 1, 1, 3)
    assert main(["check", str(tmp_path)]) == 0


@pytest.mark.parametrize(("kind", "break_it"), BREAKS, ids=[one.__name__ for _, one in BREAKS])
def test_check_broken_history_is_found_and_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, break_it: Break
) -> None:
    history, ledger = sane_history(), sane_ledger()
    break_it(history, ledger)
    keep(tmp_path, history, ledger)
    assert main(["check", str(tmp_path)]) == 1
    assert check_folder(tmp_path).count(kind) > 0
    assert f"  {kind} " in capsys.readouterr().out


def test_check_empty_history_proves_nothing(tmp_path: Path) -> None:
    keep(tmp_path, [], [])
    assert main(["check", str(tmp_path)]) == 1


def test_check_copy_beside_original_is_allowed() -> None:
    history = sane_history()
    copied = slip("REFUNDED", mark="重打印凭证 DUPLICATED COPY 1")
    history.append({"t": 5.0, "kind": "slip", "till": TILL, "lines": copied, "cut": "partial"})
    assert check(history, sane_ledger()).violations == []


def test_check_half_slip_before_its_copy_is_allowed() -> None:
    history = sane_history()
    half = slip("REFUNDED")[:7]
    sheet = [*half, "申请号 REQUEST NO.", GROUPED, *slip("REFUNDED", mark="重打印凭证 DUPLICATED COPY 1")]
    history.append({"t": 5.0, "kind": "slip", "till": TILL, "lines": sheet, "cut": "partial"})
    assert check(history, sane_ledger()).violations == []


@pytest.mark.parametrize("secret", ["20938471", "134567890123456789"])
def test_check_secret_in_any_file_is_a_leak(tmp_path: Path, secret: str) -> None:
    keep(tmp_path, sane_history(), sane_ledger())
    (tmp_path / SECRETS).write_text(json.dumps([secret]))
    assert check_folder(tmp_path).count("leaked") == 0
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "daemon.log").write_text(f"typed={secret}\n")
    assert check_folder(tmp_path).count("leaked") == 1


def test_check_secret_inside_a_longer_number_is_chance(tmp_path: Path) -> None:
    keep(tmp_path, sane_history(), sane_ledger())
    (tmp_path / SECRETS).write_text(json.dumps(["20938471"]))
    (tmp_path / "daemon.log").write_text("seq=1209384715\n")
    assert check_folder(tmp_path).count("leaked") == 0


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_check_secret_inside_base64_is_a_leak(tmp_path: Path, before: str) -> None:
    keep(tmp_path, sane_history(), sane_ledger())
    (tmp_path / SECRETS).write_text(json.dumps(["20938471"]))
    hidden = base64.b64encode(f'{before}{{"typed":"20938471"}}'.encode()).decode()
    (tmp_path / "draft.db").write_text(f'{{"context":"{hidden}"}}')
    assert check_folder(tmp_path).count("leaked") == 1
