"""Payment codes (付款码) and what is left of them after a scanner has spoilt one. Pure.

A payment code is a one-time spending credential. `pos_agent.domain.codes` decides what happens to a number; here is
only the question whether a text is one, holds one, or could be a piece of one (ADR 0015).
"""

import re
import unicodedata
from typing import Final

#: Source: payments.md section 3 (WeChat and Alipay rules as quoted by many (S25), UnionPay (S12), e-CNY (one file)).
_SHAPES: Final = (
    ("wechat", r"1[0-5]\d{16}"),
    ("alipay", r"(?:2[5-9]|30)\d{14,22}"),
    ("unionpay", r"62\d{17}"),
    ("ecny", r"01\d{17}"),
)
_WHOLE: Final = tuple((scheme, re.compile(shape, re.ASCII)) for scheme, shape in _SHAPES)
_ANYWHERE: Final = re.compile("|".join(shape for _, shape in _SHAPES), re.ASCII)
#: What every payment code of digits begins with.
_HEAD: Final = re.compile(r"1[0-5]|2[5-9]|30|62|01", re.ASCII)
_FIRST_DIGITS: Final = "01236"
_DIGITS: Final = re.compile(r"[0-9]+")
_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")
#: The longest (Alipay) and the shortest payment code.
_MAX_DIGITS: Final = 24
_MIN_DIGITS: Final = 16
#: More digits than this are no head: the longest codes of one fixed length have 19.
_MAX_HEAD_DIGITS: Final = 18
#: A piece of fewer digits says nothing about the code that it came from.
_MIN_PIECE_DIGITS: Final = 6
#: EMVCo consumer-presented QR, a payment credential too: base64 of 85 05 "CPV01", as far as those seven bytes fix it
#: (the tenth character already depends on the byte that follows, 61: "hQVDUFYwMW…").
_EMVCO_CONSUMER: Final = "hQVDUFYwM"
#: An AIM identifier that nobody took off (ISO/IEC 15424), or half of one.
_AIM: Final = re.compile(r"^\](?:[A-Za-z][0-9A-Za-z]?)?")


def plain(text: str) -> str:
    """Return letters and ASCII digits only: without AIM identifier, separators, full-width and other digits."""
    if text.isascii():
        return _SEPARATORS.sub("", _AIM.sub("", text.strip(), count=1))
    folded = unicodedata.normalize("NFKC", text.strip())
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in _AIM.sub("", folded, count=1)
        if character.isalnum()
    )


def pay_code_scheme(text: str) -> str:
    """Return the scheme of the one payment code that `text` is, whatever surrounds its digits; empty if none."""
    if _EMVCO_CONSUMER in text:
        return "emvco"
    runs = _DIGITS.findall(plain(text))
    runs = [run for run in runs if len(run) >= _MIN_DIGITS] if len(runs) > 1 else runs
    if len(runs) != 1:
        return ""
    return next((scheme for scheme, shape in _WHOLE if shape.fullmatch(runs[0])), "")


def ends_in_pay_code(digits: str) -> bool:
    """Return whether a whole payment code stands at the end of `digits`, behind whatever was joined to it."""
    last = range(max(0, len(digits) - _MAX_DIGITS), len(digits) - _MIN_DIGITS + 1)
    return any(shape.fullmatch(digits, start) for start in last for _, shape in _WHOLE)


def may_hold_pay_code(text: str, *, is_typed: bool) -> bool:
    """Return whether a payment code, or a piece of one, may be in `text`.

    A frame of a scanner may be a piece: cut at a pause, its first bytes lost, a byte changed or put between. What a
    person types is not cut.

    Args:
        text: As it came.
        is_typed: By keypad.
    """
    bare = plain(text)
    digits = "".join(_DIGITS.findall(bare))
    if _EMVCO_CONSUMER in text or _ANYWHERE.search(digits):
        return True
    return not is_typed and (_may_be_piece(bare, digits) or _looks_like_base64(bare))


def _may_be_piece(bare: str, digits: str) -> bool:
    if len(digits) < _MIN_PIECE_DIGITS:
        return False
    # A piece from the middle or the end begins with a digit; a head may have a scanner's prefix before it; and a code
    # with one byte changed or lost still has all digits but one.
    return bare[0].isdigit() or _HEAD.match(digits) is not None or len(digits) >= _MIN_DIGITS - 1


def _looks_like_base64(bare: str) -> bool:
    """Return whether this may be the rest of an EMVCo code: order numbers do not mix small and capital letters."""
    return bare != bare.upper() and bare != bare.lower()


def may_be_cut_off(text: str) -> bool:
    """Return whether `text` may be the head of a payment code whose rest is still on its way."""
    bare = plain(text)
    digits = "".join(_DIGITS.findall(bare))
    if len(digits) == 1:
        return digits in _FIRST_DIGITS
    if len(digits) > _MAX_HEAD_DIGITS or _HEAD.match(digits) is None:
        return False
    return not any(shape.fullmatch(digits) for _, shape in _WHOLE)
