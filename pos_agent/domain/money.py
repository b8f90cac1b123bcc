"""Money as an integer of minor units (D4); never a float.

Only currencies with two decimals are sold here today; the currency travels with the amount so that no sum can mix
two.
"""

import re

import msgspec

#: Largest amount a slip line and a screen line hold: ￥9999999.99.
MAX_AMOUNT_MINOR = 999_999_999
_YUAN = re.compile(r"(\d{1,9})?(?:\.(\d{0,2}))?", re.ASCII)
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_UNITS = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")


class Money(msgspec.Struct, frozen=True, order=False):
    """An amount of money.

    Attributes:
        amount_minor: Minor units (fen for CNY), never negative here.
        currency: ISO 4217 alphabetic code.
    """

    amount_minor: int
    currency: str = "CNY"


class AmountError(ValueError):
    """What was typed is not an amount that can be refunded."""


def parse_yuan(text: str) -> int:
    """Read what a cashier typed: yuan with at most two decimals ("3" = 300 fen).

    Args:
        text: Digits with at most one decimal point; no sign, no separators.
    Returns:
        Minor units, 1 … `MAX_AMOUNT_MINOR`.
    Raises:
        AmountError: Empty, malformed, zero, more than two decimals, or too large. Retyping helps.
    """
    match = _YUAN.fullmatch(text)
    if match is None or text in ("", "."):
        raise AmountError(f"not an amount: {text!r}")
    yuan, fen = match.group(1) or "0", (match.group(2) or "").ljust(2, "0")
    amount_minor = int(yuan) * 100 + int(fen)
    if not 0 < amount_minor <= MAX_AMOUNT_MINOR:
        raise AmountError(f"amount out of range: {text!r}")
    return amount_minor


def format_amount(amount_minor: int) -> str:
    """Return figures with two decimals and no currency sign: 12800 → "128.00"."""
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{abs(amount_minor) // 100}.{abs(amount_minor) % 100:02d}"


def capitals(amount_minor: int) -> str:
    """Return the amount in Chinese capitals: 12800 → "壹佰贰拾捌元整".

    Source:
        支付结算办法 (1997) 附一, 正确填写票据和结算凭证的基本规定, items 1–3.
    """
    if amount_minor < 0:
        raise AmountError("negative amount")
    yuan, jiao, fen = amount_minor // 100, amount_minor // 10 % 10, amount_minor % 10
    words = _integer_capitals(yuan) + "元" if yuan else ""
    if not jiao and not fen:
        return (words or "零元") + "整"
    if jiao:
        words += _DIGITS[jiao] + "角"
    elif yuan:
        words += "零"
    return words + (_DIGITS[fen] + "分" if fen else "整")


def _integer_capitals(number: int) -> str:
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    words = ""
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if not group:
            continue
        if words and (group < 1000 or groups[index + 1] % 10 == 0):
            words += "零"
        words += _group_capitals(group) + _GROUPS[index]
    return words


def _group_capitals(group: int) -> str:
    words, gap = "", False
    for power in (3, 2, 1, 0):
        digit = group // 10**power % 10
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + _UNITS[power]
            gap = False
        else:
            gap = True
    return words
