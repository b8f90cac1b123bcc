"""Acceptance cases 7–13 of payments.md 9d: what was scanned or typed, over the bench API."""

from pathlib import Path
from typing import Any

import pytest

from tests.hil.conftest import RunningBench
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

#: Shaped like payment codes, nobody's. Source of the shapes: payments.md section 3.
_PAY_CODES = {
    "case_07_wechat": ("134567890123456789", "wechat"),
    "case_08_alipay_no_date": ("281345678901234567", "alipay"),
    "case_10_unionpay": ("6212345678901234567", "unionpay"),
}
_COLLECT_CODES = {
    "emvco": "00020101021129370016A000000677010111",
    "alipay": "https://qr.alipay.com/fkx00000example",
    "wechat": "wxp://f2f0example",
}
#: EAN-13 with a wrong last digit; 6901234567892 is right.
_BAD_EAN = "6901234567890"


def everything_shown(state: dict[str, Any]) -> str:
    """Return the text of all displays."""
    return "\n".join(line for screen in state["screens"].values() for line in screen["lines"])


def all_logs(bench: RunningBench) -> str:
    """Return the logs of daemon, back office and broker."""
    folder: Path = bench.log_dir
    return "\n".join(path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.log")))


@pytest.mark.parametrize(("code", "scheme"), _PAY_CODES.values(), ids=_PAY_CODES.keys())
def test_case_07_08_10_pay_code_is_refused_and_only_its_scheme_is_kept(
    till: Till, running_bench: RunningBench, code: str, scheme: str
) -> None:
    client = till.client
    requests = len(client.requests())
    client.scan(code)
    state = client.wait_screen("这是付款码,不能退款")
    shown = everything_shown(state)
    assert "账单" in shown
    assert code not in shown
    assert code[-6:] not in shown
    logs = all_logs(running_bench)
    assert code not in logs
    assert f"scheme={scheme} length={len(code)}" in logs
    assert len(client.requests()) == requests
    assert till.slips() == []
    till.scan(till.spare())


@pytest.mark.parametrize("code", [code for code, _ in _PAY_CODES.values()], ids=_PAY_CODES.keys())
def test_case_07_08_10_pay_code_that_is_typed_is_refused_alike(till: Till, code: str) -> None:
    client = till.client
    client.keys("1")
    client.wait_state("SCAN")
    client.type(code)
    client.enter()
    state = client.wait_screen("这是付款码,不能退款")
    assert code[-6:] not in everything_shown(state)


def test_case_07_pay_code_split_over_reads_is_refused(till: Till) -> None:
    code, _ = _PAY_CODES["case_07_wechat"]
    till.client.scan(code, chunks=[1, 7, 9, 1])
    till.client.wait_screen("这是付款码,不能退款")


def test_case_09_order_number_like_a_pay_code_is_asked_about_and_sent_as_hash(till: Till) -> None:
    client = till.client
    sale = till.untouched("ambiguous")
    assert len(sale["order_no"]) == 17
    client.scan(sale["order_no"])
    state = client.wait_screen("像付款码!  (17位)")
    assert sale["order_no"][-6:] not in everything_shown(state)
    client.keys("2")
    client.wait_state("SCAN")
    client.type(sale["order_no"])
    client.enter()
    client.wait_state("AMBIGUOUS")
    client.keys("1")
    client.wait_state("SALE")
    client.wait_screen("支付宝")
    till.choose_all()
    request_id = till.confirm()
    till.wait_stored(request_id, "reviewing")
    answer = client.decide(request_id, "reject", "测试")
    assert answer["request"]["original_reference"]["kind"] == "order_no_hash"
    assert all(sale["order_no"] not in slip["text"] for slip in till.wait_slips(2))


@pytest.mark.parametrize("code", _COLLECT_CODES.values(), ids=_COLLECT_CODES.keys())
def test_case_11_collect_code_is_named(till: Till, code: str) -> None:
    client = till.client
    client.scan(code)
    client.wait_screen("这是收款码,不能退款")
    assert till.slips() == []
    client.keys("CANCEL")
    client.wait_state("MENU")


def test_case_12_bad_check_digit_asks_to_scan_again(till: Till) -> None:
    client = till.client
    scans = till.counter("scanner", "GoodScanCount")
    beeps = till.beeps()
    client.scan(_BAD_EAN, symbology="]E0")
    client.wait_screen("条码读错,请重扫")
    client.wait(lambda _state: till.beeps() == beeps + 1, "an error beep")
    till.wait_counter("scanner", "GoodScanCount", above=scans)
    till.scan(till.spare())


def test_case_13_third_unreadable_scan_says_what_helps_and_offers_typing(till: Till) -> None:
    client = till.client
    sale = till.spare()
    attempts = []

    def is_told_or_scan_again(state: dict[str, Any]) -> bool:
        # Noise that follows at once is one attempt of a person: the till counts what comes within 0.7 s as one.
        if state["workflow_state"] == "MENU":
            attempts.append(client.scan_hex(bytes(range(0x80, 0x90))))
        return bool(state["workflow_state"] == "BAD_CODE")

    client.wait(is_told_or_scan_again, "the third unreadable scan")
    assert len(attempts) >= 3
    client.wait_screen("条码读错,请重扫")
    shown = client.screen()
    assert "调亮手机屏幕" in shown
    assert "擦干净扫描窗" in shown
    client.keys("2")
    client.wait_state("SCAN")
    client.type(sale["order_no"])
    client.enter()
    client.wait_state("SALE")


def test_scanner_noise_without_an_end_is_resynchronised(till: Till) -> None:
    client = till.client
    client.scan_hex(bytes([0x37]) * 10_000, suffix="")
    till.wait_counter("scanner", "ScanGarbledOverflowCount", above=0)
    # Its end also ends the noise; whether it is read depends on the silence between the two.
    client.scan(_BAD_EAN, symbology="]E0")
    till.scan(till.spare())
