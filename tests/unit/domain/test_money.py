"""Money: what is typed, shown and printed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.money import MAX_AMOUNT_MINOR, AmountError, capitals, format_amount, parse_yuan

_DIGITS = {name: value for value, name in enumerate("零壹贰叁肆伍陆柒捌玖")}
_UNITS = {"拾": 10, "佰": 100, "仟": 1000}


@pytest.mark.parametrize(
    ("text", "amount_minor"),
    [("3", 300), ("3.", 300), ("3.5", 350), (".5", 50), ("0.01", 1), ("9999999.99", MAX_AMOUNT_MINOR)],
)
def test_parse_yuan_reads_what_a_cashier_types(text: str, amount_minor: int) -> None:
    assert parse_yuan(text) == amount_minor


@pytest.mark.parametrize("text", ["", ".", "0", "0.00", "1.234", "1.2.3", "-1", "1,5", "10000000", "１", "1e3", " 1"])
def test_parse_yuan_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(AmountError):
        parse_yuan(text)


@settings(max_examples=100)
@given(st.integers(1, MAX_AMOUNT_MINOR))
def test_format_amount_is_read_back_as_the_same_amount(amount_minor: int) -> None:
    assert parse_yuan(format_amount(amount_minor)) == amount_minor


@pytest.mark.parametrize(
    ("amount_minor", "words"),
    [
        (12800, "壹佰贰拾捌元整"),
        (300, "叁元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (0, "零元整"),
        (100_05, "壹佰元零伍分"),
        # 支付结算办法 (1997) 附一, the examples of items 2 and 3:
        (1409_50, "壹仟肆佰零玖元伍角整"),
        (6007_14, "陆仟零柒元壹角肆分"),
        (16409_02, "壹万陆仟肆佰零玖元零贰分"),
        (325_04, "叁佰贰拾伍元零肆分"),
        (107000_53, "壹拾万零柒仟元伍角叁分"),
        (10_0000_00, "壹拾万元整"),
        (1000_1000_00, "壹仟万零壹仟元整"),
    ],
)
def test_capitals_follow_the_payment_and_settlement_rules(amount_minor: int, words: str) -> None:
    assert capitals(amount_minor) == words


def _section(words: str) -> int:
    total, digit = 0, 0
    for character in words:
        if character in _UNITS:
            total, digit = total + digit * _UNITS[character], 0
        else:
            digit = _DIGITS[character]
    return total + digit


def _read(words: str) -> int:
    """Read capitals back, written apart from the code under test."""
    yuan, _, rest = words.removesuffix("整").rpartition("元") if "元" in words else ("", "", words.removesuffix("整"))
    high, _, low = yuan.rpartition("万")
    total = (_section(high) * 10_000 + _section(low)) * 100
    for mark, weight in (("角", 10), ("分", 1)):
        if mark in rest:
            total += _DIGITS[rest[rest.index(mark) - 1]] * weight
    return total


@settings(max_examples=200)
@given(st.integers(1, MAX_AMOUNT_MINOR))
def test_capitals_are_read_back_as_the_same_amount(amount_minor: int) -> None:
    words = capitals(amount_minor)
    assert _read(words) == amount_minor
    assert "零零" not in words


def test_capitals_negative_is_refused() -> None:
    with pytest.raises(AmountError):
        capitals(-1)
