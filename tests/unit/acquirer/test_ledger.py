"""The witness: what it says has moved, moved once, and survives anything."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from hil.acquirer.ledger import Ledger, LedgerLine, RefundStatus, RefusedError

LINE = LedgerLine(
    refund_no="R1",
    sale_ref="S1",
    amount_minor=300,
    paid_minor=1000,
    currency="CNY",
    status=RefundStatus.SUCCEEDED,
    at=datetime(2026, 11, 23, tzinfo=UTC),
)


def test_ledger_read_again_knows_what_moved(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(LINE)
    ledger.close()
    again = Ledger(path)
    assert (again.find("R1"), again.moved_minor("S1"), again.movements()) == (LINE, 300, [LINE])
    again.close()


def test_ledger_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = msgspec.json.encode(LINE) + b"\n"
    path.write_bytes(whole + b'{"refund_no":"R2","sa')
    ledger = Ledger(path)
    ledger.append(msgspec.structs.replace(LINE, refund_no="R3"))
    ledger.close()
    assert [line.refund_no for line in _lines(path)] == ["R1", "R3"]


def _lines(path: Path) -> list[LedgerLine]:
    return [msgspec.json.decode(line, type=LedgerLine) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount_minor": 301}, "DISCORDANT_REPEAT_REQUEST"),
        ({"sale_ref": "S2"}, "DISCORDANT_REPEAT_REQUEST"),
        ({"refund_no": "R2", "amount_minor": 701}, "REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_no": "R2", "paid_minor": 2000}, "TOTAL_MISMATCH"),
        ({"refund_no": "R2", "amount_minor": 0}, "INVALID_REQUEST"),
    ],
)
def test_ledger_refuses_what_contradicts_it(tmp_path: Path, change: dict[str, object], code: str) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(LINE)
    with pytest.raises(RefusedError) as caught:
        ledger.check(msgspec.structs.replace(LINE, **change))
    assert caught.value.code == code
    ledger.close()


@pytest.mark.parametrize(
    ("status", "left"), [(RefundStatus.FAILED, 1000), (RefundStatus.PROCESSING, 700), (RefundStatus.ABNORMAL, 700)]
)
def test_ledger_counts_what_is_under_way_but_not_what_failed(tmp_path: Path, status: RefundStatus, left: int) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(msgspec.structs.replace(LINE, status=status))
    assert ledger.moved_minor("S1") == 0
    assert ledger.check(msgspec.structs.replace(LINE, refund_no="R2", amount_minor=left)) is None
    with pytest.raises(RefusedError):
        ledger.check(msgspec.structs.replace(LINE, refund_no="R2", amount_minor=left + 1))
    ledger.close()
