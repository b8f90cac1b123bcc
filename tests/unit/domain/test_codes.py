"""What was scanned? The safety order of D14, and that a payment code's digits never leave `classify`."""

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.codes import KEEPS_VALUE, ClassifyContext, CodeKind, classify, has_right_check_digit
from pos_agent.domain.identifiers import make_refund_request_id

TODAY = date(2026, 11, 23)
CONTEXT = ClassifyContext(today=TODAY, window_days=365)
OWN = make_refund_request_id(123456789012345678)


@pytest.mark.parametrize(
    ("data", "symbology", "kind"),
    [
        (OWN, "]C1", CodeKind.OWN_SLIP),
        ("4200002732202507107819354892", "]C1", CodeKind.CHANNEL_TRADE_NO),  # payments.md section 3, a public sample
        ("2025112022001412341234567890", "]C1", CodeKind.CHANNEL_TRADE_NO),  # Alipay trade_no, yyyyMMdd + 22001
        ("1025112018320000000000208907890", "]C1", CodeKind.ORDER_NO),
        ("327M202204141724489725391331", "]C1", CodeKind.ORDER_NO),  # Chinaums sample, payments.md 2.4
        ("00020101021153039075802CN6304ABCD", "]Q3", CodeKind.COLLECT_CODE),
        ("HTTPS://QR.ALIPAY.COM/fkx123", "]Q3", CodeKind.COLLECT_CODE),
        ("wxp://f2f0abc", "]Q3", CodeKind.COLLECT_CODE),
        ("6901234567892", "]E0", CodeKind.GOODS),
        ("6901234567890", "]E0", CodeKind.BAD_CHECK_DIGIT),
        ("6901234567890", "", CodeKind.BAD_CHECK_DIGIT),
        ("96385074", "]E4", CodeKind.GOODS),
        ("96385075", "]E4", CodeKind.BAD_CHECK_DIGIT),
        ("0106901234567892", "]C1", CodeKind.GOODS),
        ("0106901234567892", "]d2", CodeKind.GOODS),
        ("0106901234567890", "]C1", CodeKind.BAD_CHECK_DIGIT),
        ("?", "", CodeKind.UNRECOGNISED),
        ("x" * 200, "", CodeKind.UNRECOGNISED),
        ("", "", CodeKind.UNRECOGNISED),
    ],
)
def test_classify_sample_gives_kind(data: str, symbology: str, kind: CodeKind) -> None:
    assert classify(data, symbology, context=CONTEXT).kind is kind


@pytest.mark.parametrize(
    ("data", "scheme"),
    [
        ("134567890123456789", "wechat"),
        ("281312345678901234", "alipay"),  # case 8: month 13 is no date
        ("3099123456789012", "alipay"),
        ("6225735053201615202", "unionpay"),  # payments.md section 3
        ("0112345678901234567", "ecny"),
        ("hQVDUFYwMWEfTwigAAAAAAAAAA==", "emvco"),
    ],
)
def test_classify_pay_code_keeps_scheme_and_length_only(data: str, scheme: str) -> None:
    code = classify(f" {data}\r", "", context=CONTEXT)
    assert (code.kind, code.scheme, code.length, code.value) == (CodeKind.PAY_CODE, scheme, len(data), "")
    assert data.encode() not in msgspec.json.encode(code)


@pytest.mark.parametrize(
    ("first_six", "kind"),
    [
        ("261123", CodeKind.AMBIGUOUS),  # today
        ("251123", CodeKind.AMBIGUOUS),  # exactly 365 days ago
        ("251122", CodeKind.PAY_CODE),  # outside the window
        ("261124", CodeKind.PAY_CODE),  # tomorrow
        ("260230", CodeKind.PAY_CODE),  # no such day
    ],
)
def test_classify_alipay_shape_is_ambiguous_only_with_a_past_date_in_the_window(first_six: str, kind: CodeKind) -> None:
    code = classify(f"{first_six}12345678901", "", context=CONTEXT)
    assert code.kind is kind
    assert code.value == ""
    assert code.length == 17


def test_classify_clock_not_trusted_asks_instead_of_guessing_a_window() -> None:
    context = ClassifyContext(today=None, window_days=365)
    assert classify("28010112345678901", "", context=context).kind is CodeKind.AMBIGUOUS
    assert classify("28130112345678901", "", context=context).kind is CodeKind.PAY_CODE


def test_classify_pay_code_that_fits_the_merchants_pattern_is_ambiguous_without_digits() -> None:
    context = ClassifyContext(today=TODAY, window_days=365, order_patterns=(r"13\d{16}",))
    code = classify("134567890123456789", "", context=context)
    assert (code.kind, code.value) == (CodeKind.AMBIGUOUS, "")


def test_classify_number_in_the_journal_goes_before_the_pay_code() -> None:
    context = ClassifyContext(today=TODAY, window_days=365, is_known=True)
    code = classify("26112312345678901", "", context=context)
    assert (code.kind, code.value) == (CodeKind.KNOWN_ORDER, "26112312345678901")


def test_classify_merchant_pattern_goes_before_goods() -> None:
    context = ClassifyContext(today=TODAY, window_days=365, order_patterns=(r"69\d{11}",))
    assert classify("6901234567890", "", context=context).kind is CodeKind.ORDER_NO


def test_classify_pattern_that_takes_any_digits_proves_nothing_and_is_asked_about() -> None:
    context = ClassifyContext(today=TODAY, window_days=365, order_patterns=(r"\d{13}",))
    assert classify("6901234567890", "", context=context).kind is CodeKind.AMBIGUOUS


def test_check_digit_of_the_gs1_example_is_seven() -> None:
    assert has_right_check_digit("8904000210037")  # GS1 India's example, payments.md section 3
    assert not has_right_check_digit("8904000210036")


@settings(max_examples=150)
@given(st.text(max_size=80), st.sampled_from(["", "]C1", "]E0", "]Q3"]), st.booleans())
def test_classify_any_text_never_raises_and_keeps_digits_only_where_allowed(
    data: str, symbology: str, is_known: bool
) -> None:
    code = classify(data, symbology, context=msgspec.structs.replace(CONTEXT, is_known=is_known))
    assert code.length == len(data.strip())
    assert (code.value == "") or code.kind in KEEPS_VALUE


@settings(max_examples=100)
@given(st.from_regex(r"1[0-5][0-9]{16}|(2[5-9]|30)[0-9]{14,22}|62[0-9]{17}|01[0-9]{17}", fullmatch=True))
def test_classify_any_pay_code_never_carries_its_digits(data: str) -> None:
    code = classify(data, "", context=CONTEXT)
    if code.kind is not CodeKind.OWN_SLIP:  # 22 digits that start with 98 are none of these shapes
        assert code.kind in (CodeKind.PAY_CODE, CodeKind.AMBIGUOUS)
        assert code.value == ""
