"""What was scanned or typed? (D14, payments.md section 3.) Pure: the date and the journal's answer are passed in.

The order of the questions is the safety rule: own slip → known in the local journal → channel number → payment code
→ merchant order pattern → goods. A payment code (付款码) is a one-time spending credential: the result never carries
its digits, only scheme and length, so that nothing downstream can store, log or send them.
"""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from pos_agent.domain.identifiers import is_refund_request_id


class CodeKind(StrEnum):
    """What a number or code is."""

    OWN_SLIP = "own_slip"
    KNOWN_ORDER = "known_order"
    CHANNEL_TRADE_NO = "channel_trade_no"
    PAY_CODE = "pay_code"
    COLLECT_CODE = "collect_code"
    AMBIGUOUS = "ambiguous"
    ORDER_NO = "order_no"
    GOODS = "goods"
    BAD_CHECK_DIGIT = "bad_check_digit"
    UNRECOGNISED = "unrecognised"


#: Kinds whose digits may be kept; every other kind keeps its length only.
KEEPS_VALUE: Final = frozenset(
    {CodeKind.OWN_SLIP, CodeKind.KNOWN_ORDER, CodeKind.CHANNEL_TRADE_NO, CodeKind.ORDER_NO, CodeKind.GOODS}
)


class Code(msgspec.Struct, frozen=True):
    """The answer of `classify`.

    Attributes:
        kind: What it is.
        length: Characters that were read.
        value: The number itself, only for kinds in `KEEPS_VALUE`; empty for all others.
        scheme: For PAY_CODE: wechat, alipay, unionpay, ecny or emvco.
    """

    kind: CodeKind
    length: int
    value: str = ""
    scheme: str = ""


class ClassifyContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the terminal knows when it classifies.

    Attributes:
        today: The local date; None while the clock is not trusted: then any valid yyMMdd counts as a past one, so
            that the cashier is asked rather than a window guessed (D19).
        window_days: The longest refund window of the shop.
        order_patterns: Regular expressions of this merchant's order numbers.
        is_known: The number is the original reference of a request in the local journal.
    """

    today: date | None
    window_days: int
    order_patterns: tuple[str, ...] = ()
    is_known: bool = False


#: Source: payments.md section 3 (WeChat and Alipay rules as quoted by many (S25), UnionPay (S12), e-CNY (one file)).
_PAY_CODES: Final = (
    ("wechat", re.compile(r"1[0-5]\d{16}", re.ASCII)),
    ("alipay", re.compile(r"(?:2[5-9]|30)\d{14,22}", re.ASCII)),
    ("unionpay", re.compile(r"62\d{17}", re.ASCII)),
    ("ecny", re.compile(r"01\d{17}", re.ASCII)),
)
#: EMVCo consumer-presented QR, a payment credential too: base64 of 85 05 "CPV01", as far as those seven bytes fix it
#: (the tenth character already depends on the byte that follows, 61: "hQVDUFYwMW…").
_EMVCO_CONSUMER: Final = "hQVDUFYwM"
#: WeChat transaction id; Alipay trade_no (yyyyMMdd inside).
_CHANNEL: Final = (re.compile(r"42\d{26}", re.ASCII), re.compile(r"20\d{26}", re.ASCII))
#: EMVCo merchant-presented QR and the static collect codes of the wallets.
_COLLECT: Final = ("000201", "https://qr.alipay.com/", "wxp://", "https://qr.95516.com/")
#: WeChat's character set and length of a merchant order number.
_GENERAL_ORDER: Final = re.compile(r"[0-9A-Za-z_\-|*@]{6,32}")
#: AIM identifiers of EAN/UPC (ISO/IEC 15424): ]E0 EAN-13, UPC-A, UPC-E; ]E4 EAN-8.
_EAN: Final = ("]E0", "]E3", "]E4")


def classify(data: str, symbology: str, *, context: ClassifyContext) -> Code:
    """Say what a scanned or typed number is.

    Args:
        data: Without prefix, suffix and AIM identifier.
        symbology: AIM identifier such as ``]E0``; empty when typed or when the scanner sends none.
        context: Date, window, patterns, and whether the journal knows the number.
    """
    text = data.strip()
    kind, scheme = _kind(text, symbology, context)
    return Code(kind, len(text), text if kind in KEEPS_VALUE else "", scheme)


def _kind(text: str, symbology: str, context: ClassifyContext) -> tuple[CodeKind, str]:
    if is_refund_request_id(text):
        return CodeKind.OWN_SLIP, ""
    if context.is_known:
        return CodeKind.KNOWN_ORDER, ""
    if any(pattern.fullmatch(text) for pattern in _CHANNEL):
        return CodeKind.CHANNEL_TRADE_NO, ""
    scheme = pay_code_scheme(text)
    if scheme:
        return (CodeKind.AMBIGUOUS, "") if _may_be_order(text, context) else (CodeKind.PAY_CODE, scheme)
    if text.lower().startswith(_COLLECT):
        return CodeKind.COLLECT_CODE, ""
    if _fits_merchant(text, context):
        return CodeKind.ORDER_NO, ""
    if _looks_like_goods(text, symbology):
        return (CodeKind.GOODS if has_right_check_digit(text) else CodeKind.BAD_CHECK_DIGIT), ""
    if _GENERAL_ORDER.fullmatch(text):
        return CodeKind.ORDER_NO, ""
    return CodeKind.UNRECOGNISED, ""


def pay_code_scheme(text: str) -> str:
    """Return the scheme whose payment code `text` looks like; empty if none."""
    for scheme, pattern in _PAY_CODES:
        if pattern.fullmatch(text):
            return scheme
    return "emvco" if text.startswith(_EMVCO_CONSUMER) else ""


def has_right_check_digit(digits: str) -> bool:
    """Check an EAN-13, EAN-8 or UPC-A number.

    Source:
        GS1 General Specifications, section 7.9.1: modulo 10, weights 3 and 1 from the right, check digit excluded.
    """
    body, check = digits[:-1], int(digits[-1])
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return (10 - total % 10) % 10 == check


def _looks_like_goods(text: str, symbology: str) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    if symbology.startswith(_EAN):
        return len(text) in (8, 12, 13)
    return symbology == "" and len(text) == 13


def _may_be_order(text: str, context: ClassifyContext) -> bool:
    return _fits_merchant(text, context) or _starts_with_window_date(text, context)


def _fits_merchant(text: str, context: ClassifyContext) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in context.order_patterns)


def _starts_with_window_date(text: str, context: ClassifyContext) -> bool:
    """Return True if the first six digits are a yyMMdd that is not in the future and inside the longest window."""
    if not text[:6].isdigit():
        return False
    try:
        day = date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6]))
    except ValueError:
        return False
    if context.today is None:
        return True
    return context.today - timedelta(days=context.window_days) <= day <= context.today
