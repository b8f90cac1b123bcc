"""I7 and ADR 0015: whatever a scanner does to a payment code, nothing of it leaves `classify`."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.codes import ClassifyContext, CodeKind, classify
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.pay_codes import ends_in_pay_code, may_be_cut_off, pay_code_scheme

CONTEXT = ClassifyContext(today=date(2026, 11, 23), window_days=365)
#: One of each scheme and length, without a date that would make it ambiguous. Source of the shapes: payments.md 3.
CODES = {
    "wechat": "134567890123456789",
    "alipay_16": "2899123456789012",
    "alipay_18": "289912345678901234",
    "alipay_24": "289912345678901234567890",
    "unionpay": "6225735053201615202",
    "ecny": "0199345678901234567",
}
#: What a lost suffix joins to a code, before or behind it.
NEIGHBOURS = (
    "6901234567892",
    "96385074",
    "13800138000",
    "AB-77",
    "2026112201",
    "4200001234",
    "98765432",
    *CODES.values(),
)
#: Digits of which no date can be made: what is said about them holds without exception.
_UNDATED = "3456789"


def _kept(text: str, symbology: str = "", context: ClassifyContext = CONTEXT) -> str:
    return classify(text, symbology, context=context).value


every_code = pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())


@every_code
def test_pay_code_split_at_every_place_keeps_neither_part(code: str) -> None:
    for place in range(1, len(code)):
        for part in (code[:place], code[place:]):
            kept = _kept(part)
            assert kept == "" or len(part) < 6, f"{place}: kept {len(kept)}"


@every_code
def test_pay_code_cut_twice_keeps_no_middle(code: str) -> None:
    for start in range(1, len(code) - 6):
        for end in range(start + 6, len(code)):
            assert _kept(code[start:end]) == ""


@every_code
@pytest.mark.parametrize("prefix", [*"AaZz9", "]C0", "]c0", "]C", "]", "AB", "Scan:", "QR-", "x" * 8, "\x02", "0", "+"])
def test_pay_code_behind_any_prefix_is_never_an_order_number(code: str, prefix: str) -> None:
    found = classify(prefix + code, "", context=CONTEXT)
    assert found.kind in (CodeKind.PAY_CODE, CodeKind.AMBIGUOUS, CodeKind.UNRECOGNISED)
    assert found.value == ""


@every_code
def test_pay_code_behind_one_letter_is_refused_with_its_scheme(code: str) -> None:
    found = classify("A" + code, "", context=CONTEXT)
    assert (found.kind, found.value) == (CodeKind.PAY_CODE, "")
    assert found.scheme in ("wechat", "alipay", "unionpay", "ecny")


@every_code
@pytest.mark.parametrize("rest", ["A", "z", "?", "#~", " x", "\x1d", "00", "_1", "7A7"])
def test_pay_code_before_garbage_is_never_kept(code: str, rest: str) -> None:
    assert _kept(code + rest) == ""


@every_code
def test_pay_code_with_a_byte_lost_changed_or_put_between_is_never_kept(code: str) -> None:
    for place in range(len(code)):
        for other in ("", "q", "X", "-", "*", " ", "5", "99"):
            assert _kept(code[:place] + other + code[place + 1 :]) == "", (place, other)
        assert _kept(f"{code[:place]}q{code[place:]}") == ""


@every_code
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_pay_code_joined_to_another_code_is_never_kept(code: str, neighbour: str) -> None:
    for text in (neighbour + code, code + neighbour, f"{neighbour}{code}{neighbour}"):
        assert _kept(text) == ""
        assert _kept(text, "]C1") == ""


@every_code
def test_pay_code_joined_to_an_order_number_of_date_and_time_is_never_kept(code: str) -> None:
    for order in ("202611221832", "20261122183207", "8202611221832", "A20261122183201"):
        assert _kept(order + code) == ""
        assert _kept(code + order) == ""


@every_code
def test_pay_code_in_groups_or_in_other_digits_is_named(code: str) -> None:
    full_width = "".join(chr(ord("0") + int(digit)) for digit in code)
    arabic = "".join(chr(0x0660 + int(digit)) for digit in code)
    grouped = " ".join(code[at : at + 4] for at in range(0, len(code), 4))
    for text in (full_width, arabic, grouped, grouped.replace(" ", "-"), f"\u200b{code}\ufeff"):
        found = classify(text, "", context=CONTEXT)
        assert (found.kind, found.value) == (CodeKind.PAY_CODE, ""), ascii(text)


@every_code
def test_pay_code_that_a_loose_pattern_fits_is_asked_about_whole_and_in_parts(code: str) -> None:
    patterns = tuple(rf"\d{{{length}}}" for length in range(6, 25))
    context = ClassifyContext(today=CONTEXT.today, window_days=365, order_patterns=patterns)
    for start in range(len(code) - 6):
        found = classify(code[start:], "", context=context)
        assert (found.kind, found.value) == (CodeKind.AMBIGUOUS, "")


@every_code
def test_pay_code_in_full_width_digits_does_not_slip_through_a_pattern(code: str) -> None:
    context = ClassifyContext(today=CONTEXT.today, window_days=365, order_patterns=(r"\d{16,24}",))
    assert _kept("".join(chr(ord("0") + int(digit)) for digit in code), context=context) == ""


@pytest.mark.parametrize(
    "text",
    [
        "hQVDUFYwMWEfTwigAAAAAAAAAA==",
        "XhQVDUFYwMWEfTwigAAAAAA",
        "6901234567892hQVDUFYwMWEfTwig",
        "TwigAAAAAAAAAA",
        "hQVDUF",
        "fTwig8AAAA",
    ],
)
def test_emvco_code_whole_joined_or_in_parts_is_never_kept(text: str) -> None:
    assert _kept(text) == ""


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("4200000991202103266853086457", CodeKind.CHANNEL_TRADE_NO),  # payments.md section 3, public samples
        ("4200002732202507107819354892", CodeKind.CHANNEL_TRADE_NO),
        ("4200001234567890123456789012", CodeKind.CHANNEL_TRADE_NO),  # older, no date, no payment code at its end
        ("2025112022001412341234567890", CodeKind.CHANNEL_TRADE_NO),
        ("2025112011001412341234567890", CodeKind.CHANNEL_TRADE_NO),
        ("50000000382019052709732678859", CodeKind.ORDER_NO),  # WeChat refund id
        ("327M202204141724489725391331", CodeKind.ORDER_NO),  # Chinaums sample, payments.md 2.4
        ("1025112018320000000000208907890", CodeKind.ORDER_NO),  # 31 digits, yyMMddHHmm
        ("82026112218320000004", CodeKind.ORDER_NO),
        ("20261122183207", CodeKind.ORDER_NO),
        ("AB55000011112222", CodeKind.ORDER_NO),
        ("SHOP-7-0042", CodeKind.ORDER_NO),
        (make_refund_request_id(123456789012345678), CodeKind.OWN_SLIP),
    ],
)
def test_order_number_of_a_known_shape_goes_on_in_clear(number: str, kind: CodeKind) -> None:
    found = classify(number, "]C1", context=CONTEXT)
    assert (found.kind, found.value) == (kind, number)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("4220001361307220321004860688", "its last 18 digits are shaped like an Alipay code"),  # payments.md 3, sample
        ("2026112201134567890123456789", "ten digits and a WeChat code, joined to 28"),
        ("410000000004", "twelve digits may be a piece"),
        ("2099112022001412341234567890", "in the future: no trade number"),
        ("ORD100012345", "may be a prefix and a head"),
    ],
)
def test_number_that_may_hold_a_pay_code_is_asked_about(number: str, why: str) -> None:
    assert classify(number, "", context=CONTEXT).kind is CodeKind.AMBIGUOUS, why


def test_card_reference_number_that_is_typed_goes_on_in_clear() -> None:
    context = ClassifyContext(today=CONTEXT.today, window_days=365, is_typed=True)
    assert _kept("410000000004", context=context) == "410000000004"
    assert classify("A134567890123456789", "", context=context).kind is CodeKind.PAY_CODE


@settings(max_examples=120)
@given(st.data())
def test_any_pay_code_spoilt_in_any_way_is_never_kept(data: st.DataObject) -> None:
    head, length = data.draw(
        st.sampled_from([("13", 18), ("15", 18), ("25", 16), ("29", 18), ("30", 24), ("62", 19), ("01", 19)])
    )
    rest = length - len(head)
    code = head + data.draw(st.text(_UNDATED, min_size=rest, max_size=rest))
    start = data.draw(st.integers(0, length - 6))
    end = data.draw(st.integers(start + 6, length))
    before = data.draw(st.sampled_from(["", "]C1", "#", "5", "69"])) if start == 0 else ""
    behind = data.draw(st.text("AZaz09_-|*@ ", max_size=6)) if end == length else ""
    assert _kept(before + code[start:end] + behind) == ""


def test_ends_in_pay_code_looks_at_the_end_only() -> None:
    assert ends_in_pay_code("7777" + CODES["wechat"])
    assert not ends_in_pay_code(CODES["wechat"] + "7")
    assert not ends_in_pay_code("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1345", True),
        ("1", True),
        ("4", False),
        ("A1345", True),
        ("62257350532016152", True),
        ("134567890123456789", False),
        ("6901", False),
        ("", False),
    ],
)
def test_may_be_cut_off_knows_heads(text: str, expected: bool) -> None:
    assert may_be_cut_off(text) is expected


def test_pay_code_scheme_of_other_numbers_is_empty() -> None:
    for text in ("", "6901234567892", "4200002732202507107819354892", "SHOP-7-0042"):
        assert pay_code_scheme(text) == ""
