"""What `python -m hil replay` reads out of an incident file, and what it types and scans in the place of secrets."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hil.replay.incident import Act, NoIncidentError, read
from hil.replay.stand_ins import Fields, code_of, pin_digits
from pos_agent.domain.codes import ClassifyContext, CodeKind, classify

HEADER = {"type": "header", "format": 1, "cause": "key", "version": "1"}
OPERATORS = {"operator": {"no": "01", "pin": "7391"}, "supervisor": {"no": "02", "pin": "5522"}}
SALES: list[dict[str, Any]] = [
    {"kind": "wechat", "code": "8202611", "paid_minor": 12800},
    {"kind": "alipay", "code": "2026112", "paid_minor": 25600},
]


def step(trigger: str, before: str, after: str, *, at_s: float = 0.0, **data: Any) -> dict[str, Any]:
    return {"type": "step", "at_s": at_s, "trigger": trigger, "before": before, "after": after, "data": data}


def act(trigger: str, before: str, after: str, *own: dict[str, Any], **data: Any) -> Act:
    return Act(record=step(trigger, before, after, **data), pause_s=0.0, own=list(own))


def write(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "incident.jsonl"
    path.write_bytes(b"\n".join(msgspec.json.encode(record) for record in (HEADER, *records)))
    return path


def test_incident_begins_where_nothing_is_typed_and_groups_what_the_till_did_itself(tmp_path: Path) -> None:
    clean: dict[str, Any] = {"context": {"locale": "en"}}
    path = write(
        tmp_path,
        step("digit", "LOGIN", "LOGIN", at_s=1.0) | {"context": {"typed": "*"}},
        step("digit", "MENU", "SCAN", at_s=2.0, key="1") | clean,
        step("timeout", "SCAN", "MENU", at_s=32.0) | clean,
        {"type": "note", "at_s": 33.0, "what": "ScanGarbled", "detail": ""},
        step("scan", "MENU", "LOOKUP", at_s=34.5) | clean,
        step("lookup_done", "LOOKUP", "SALE", at_s=34.6),
    )
    _, acts = read(path)
    assert [(one.trigger, one.after, one.pause_s) for one in acts] == [
        ("begin", "MENU", 0.0),
        ("digit", "MENU", 0.0),
        ("garbled", "", 31.0),
        ("scan", "SALE", 1.5),
    ]


@pytest.mark.parametrize("data", [b"", b"hello", b'{"type":"header","format":2}', b'{"type":"header","format":1}'])
def test_file_that_is_no_incident_or_has_no_beginning_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(NoIncidentError):
        read(path)


def test_sign_in_types_the_benchs_own_pin_or_another_where_it_was_wrong() -> None:
    def typed(check: dict[str, Any]) -> str:
        fields, digits = Fields(OPERATORS), ""
        for key in "12C3E4567E":
            if key.isdigit():
                digits += fields.key(act("digit", "LOGIN", "LOGIN", key="*"), check)
            else:
                fields.pressed({"C": "clear", "E": "enter"}[key], after="LOGIN")
        return digits

    assert typed({"is_right": True, "role": "cashier"}) == "01" + "1" + "7391"
    assert typed({"is_right": True, "role": "supervisor"}) == "02" + "2" + "5522"
    assert typed({"is_right": False}) == "01" + "1" + "8402"
    assert pin_digits([act("digit", "LOGIN", "LOGIN")] * 2 + [act("enter", "LOGIN", "LOGIN")]) == 4


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("pay_code", "wechat"), ("pay_code", "alipay"), ("goods", ""), ("bad_check_digit", ""), ("collect_code", "")],
)
def test_code_that_is_not_in_the_file_is_replaced_by_one_of_its_kind(kind: str, scheme: str) -> None:
    made = code_of(act("scan", "MENU", "X", code={"kind": kind, "scheme": scheme, "length": 18}), SALES)
    code = classify(made, "", context=ClassifyContext(today=None, window_days=365))
    found = CodeKind.PAY_CODE if code.kind is CodeKind.AMBIGUOUS else code.kind
    assert found.value == kind


def test_code_of_a_sale_is_one_that_the_bench_has_or_has_not_as_it_was() -> None:
    found = step("lookup_done", "LOOKUP", "SALE", answer={"outcome": "found", "sale": {"paid_minor": 25600}})
    missing = step("lookup_done", "LOOKUP", "NOT_FOUND", answer={"outcome": "not_found"})
    order: dict[str, Any] = {"code": {"kind": "order_no", "length": 20}}
    assert code_of(act("scan", "MENU", "LOOKUP", found, **order), SALES) == "2026112"
    assert code_of(act("scan", "MENU", "LOOKUP", missing, **order), SALES) == "8" + "9" * 19
