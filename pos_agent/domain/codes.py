"""What was scanned or typed? (D14, payments.md section 3.) Pure: the date and the journal's answer are passed in.

The order of the questions is the safety rule: own slip → known in the local journal → channel number → payment code
→ known order shape → goods → anything else. A payment code (付款码) is a one-time spending credential: the result
never carries its digits, only scheme and length, so that nothing downstream can store, log or send them. A scanner can
cut, join or spoil one, so a number goes on in clear only if it is positively something else (ADR 0015).
"""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from pos_agent.domain.gs1 import EAN_CARRIERS, GS1_CARRIERS, gtin_of, has_right_check_digit
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.pay_codes import ends_in_pay_code, may_hold_pay_code, pay_code_scheme, plain

__all__ = [
    "APPROVAL_PREFIX",
    "KEEPS_VALUE",
    "ClassifyContext",
    "Code",
    "CodeKind",
    "classify",
    "has_right_check_digit",
    "pay_code_scheme",
]


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
    #: The answer to an approval question (ADR 0024): no number of a sale, whatever the merchant's patterns take.
    APPROVAL = "approval"
    UNRECOGNISED = "unrecognised"


#: First characters of an approval answer, see `pos_agent.protocol.approval`.
APPROVAL_PREFIX: Final = "PA1."
#: Kinds whose digits may be kept; every other kind keeps its length only.
KEEPS_VALUE: Final = frozenset({CodeKind.OWN_SLIP, CodeKind.KNOWN_ORDER, CodeKind.CHANNEL_TRADE_NO, CodeKind.ORDER_NO})


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
        is_typed: By keypad: whole, and nothing that a scanner has cut.
    """

    today: date | None
    window_days: int
    order_patterns: tuple[str, ...] = ()
    is_known: bool = False
    is_typed: bool = False


#: WeChat transaction id, with yyyyMMdd in the middle of newer ones; Alipay trade_no, which begins with it.
#: Source: payments.md section 3 (samples of each).
_WECHAT_TRADE: Final = re.compile(r"42\d{26}", re.ASCII)
_ALIPAY_TRADE: Final = re.compile(r"20\d{26}", re.ASCII)
#: WeChat refund id: like the transaction id, one digit longer.
_WECHAT_REFUND: Final = re.compile(r"50\d{27}", re.ASCII)
_WECHAT_DATE: Final = slice(10, 18)
_ALIPAY_DATE: Final = slice(0, 8)
#: EMVCo merchant-presented QR and the static collect codes of the wallets.
_COLLECT: Final = ("000201", "https://qr.alipay.com/", "wxp://", "https://qr.95516.com/")
#: WeChat's character set and length of a merchant order number.
_GENERAL_ORDER: Final = re.compile(r"[0-9A-Za-z_\-|*@]{6,32}")
#: An order number that says when it was made: at most four characters of its source, then date and time to the
#: minute. Source: Chinaums merOrderId (payments.md 2.4) and the bills of WeChat (payments.md section 3).
_MAX_SOURCE_LENGTH: Final = 4
_MIN_SHORT_YEAR_LENGTH: Final = 25
_DATED: Final = re.compile(r"(?P<day>20\d{6})(?:[01]\d|2[0-3])[0-5]\d", re.ASCII)
_DATED_SHORT: Final = re.compile(r"(?P<day>\d{6})(?:[01]\d|2[0-3])[0-5]\d", re.ASCII)
#: No sale that a till meets is older than the acquirers' code payments.
_FIRST_DAY: Final = date(2013, 1, 1)
_SHORT_YEARS: Final = range(2020, 2040)
#: Fewer digits are no piece of a payment code, whatever the pattern.
_MIN_LOOSE_DIGITS: Final = 6


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
    if text.startswith(APPROVAL_PREFIX):
        return CodeKind.APPROVAL, ""
    if context.is_known:
        return CodeKind.KNOWN_ORDER, ""
    if _is_channel_no(text, context):
        return CodeKind.CHANNEL_TRADE_NO, ""
    scheme = pay_code_scheme(text)
    if scheme:
        return (CodeKind.AMBIGUOUS, "") if _may_be_order(text, context) else (CodeKind.PAY_CODE, scheme)
    if text.lower().startswith(_COLLECT):
        return CodeKind.COLLECT_CODE, ""
    if _is_known_shape(text, context):
        return CodeKind.ORDER_NO, ""
    is_merchants = _fits_merchant(text, context)
    goods = "" if is_merchants else _goods_digits(text, symbology)
    if goods:
        return (CodeKind.GOODS if has_right_check_digit(goods) else CodeKind.BAD_CHECK_DIGIT), ""
    if is_merchants or _GENERAL_ORDER.fullmatch(text):
        return (CodeKind.AMBIGUOUS if may_hold_pay_code(text, is_typed=context.is_typed) else CodeKind.ORDER_NO), ""
    return CodeKind.UNRECOGNISED, ""


def _goods_digits(text: str, symbology: str) -> str:
    """Return the GTIN with its check digit if this looks like a code of goods; empty if not."""
    if symbology in GS1_CARRIERS:
        return _gs1_digits(text)
    if not (text.isascii() and text.isdigit()):
        return ""
    if symbology.startswith(EAN_CARRIERS):
        return text if len(text) in (8, 12, 13) else ""
    return text if symbology == "" and len(text) == 13 else ""


def _gs1_digits(text: str) -> str:
    """Return the GTIN of element strings; beside others only a right one: it may be an order number."""
    gtin = gtin_of(text)
    is_alone = len(text) == len("01") + len(gtin)
    return gtin if gtin and (is_alone or has_right_check_digit(gtin)) else ""


def _is_channel_no(text: str, context: ClassifyContext) -> bool:
    """Return whether this is a number of the channel, and not two numbers joined to the same length."""
    if _WECHAT_TRADE.fullmatch(text):
        return _is_sale_day(text[_WECHAT_DATE], context) or not ends_in_pay_code(text)
    return (
        _ALIPAY_TRADE.fullmatch(text) is not None
        and _is_sale_day(text[_ALIPAY_DATE], context)
        and not ends_in_pay_code(text[_ALIPAY_DATE.stop :])
    )


def _is_known_shape(text: str, context: ClassifyContext) -> bool:
    """Return whether this is positively an order number: by its date and time, or by the merchant's own pattern."""
    if _WECHAT_REFUND.fullmatch(text) and _is_sale_day(text[_WECHAT_DATE], context):
        return True
    if _GENERAL_ORDER.fullmatch(text) and _is_dated(text, context):
        return True
    return any(_fits(pattern, text) and not _is_loose(pattern, text) for pattern in context.order_patterns)


def _is_dated(text: str, context: ClassifyContext) -> bool:
    """Return whether date and time of the sale stand in front, and no payment code joined behind the date."""
    for start in range(_MAX_SOURCE_LENGTH + 1):
        match = _DATED.match(text, start)
        if match and _is_sale_day(match["day"], context) and not ends_in_pay_code(text[match.end("day") :]):
            return True
        match = _DATED_SHORT.match(text, start)
        is_long = len(text) >= _MIN_SHORT_YEAR_LENGTH and text.isdigit()
        if match and is_long and _is_recent(match["day"], context) and not ends_in_pay_code(text[match.end("day") :]):
            return True
    return False


def _is_sale_day(digits: str, context: ClassifyContext) -> bool:
    """Return whether eight digits are a day on which a code payment can have been made."""
    day = _day(int(digits[:4]), digits[4:])
    last = date.max if context.today is None else context.today + timedelta(days=1)
    return day is not None and _FIRST_DAY <= day <= last


def _is_recent(digits: str, context: ClassifyContext, *, windows: int = 2) -> bool:
    """Return whether yyMMdd is at most so many refund windows ago; without a trusted clock, any day of these decades.

    Two windows, because a customer who comes too late must be told that, by the sale's own number.
    """
    day = _day(2000 + int(digits[:2]), digits[2:])
    if day is None or context.today is None:
        return day is not None and day.year in _SHORT_YEARS
    return context.today - timedelta(days=windows * context.window_days) <= day <= context.today


def _day(year: int, month_day: str) -> date | None:
    try:
        return date(year, int(month_day[:2]), int(month_day[2:]))
    except ValueError:
        return None


def _may_be_order(text: str, context: ClassifyContext) -> bool:
    return _fits_merchant(text, context) or _starts_with_window_date(plain(text), context)


def _fits_merchant(text: str, context: ClassifyContext) -> bool:
    return any(_fits(pattern, text) for pattern in context.order_patterns)


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _is_loose(pattern: str, text: str) -> bool:
    r"""Return whether `pattern` takes any digits, such as ``\d{17}``: then a piece of a payment code fits it as well.

    Tried by turning all digits on: a pattern that fixes some of them refuses most of the ten.
    """
    if not text.isdigit() or len(text) < _MIN_LOOSE_DIGITS:
        return False
    turned = ("".join(str((int(digit) + step) % 10) for digit in text) for step in range(1, 10))
    return sum(_fits(pattern, other) for other in turned) > 1


def _starts_with_window_date(text: str, context: ClassifyContext) -> bool:
    """Return True if the first six digits are a yyMMdd that is not in the future and inside the longest window."""
    if not text[:6].isdigit() or len(text) < 6:
        return False
    if context.today is None:
        return _day(2000 + int(text[:2]), text[2:6]) is not None
    return _is_recent(text[:6], context, windows=1)
