"""What a person reads from a screen or a slip: which request, how much, what is said about money. Pure.

Knows the words of the product as a cashier does; shares no code with it.
"""

import re
from enum import StrEnum
from typing import Any, Final

import msgspec

_NUMBER = re.compile(r"98\d{2}(?: \d{4}){4} \d{2}")
_SCREEN_AMOUNT = re.compile(r"￥(\d+)\.(\d\d)")
_SLIP_AMOUNT = re.compile(r"^RMB (\d+)\.(\d\d)$")


class Claim(StrEnum):
    """What is said about money."""

    #: 钱还没退: nothing has moved, as of now, and it may yet.
    NOT_YET = "not_yet"
    #: 没有退钱: nothing has moved and nothing will.
    NEVER = "never"
    MOVED = "moved"
    UNKNOWN = "unknown"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What one screen or slip said about one request.

    Attributes:
        amount_minor: 0 = not readable.
        claim: None = nothing said about money.
        is_stored: It says that the back office has the request.
        is_saved: It says that the till has it.
        document: Of a slip: merchant, customer, result; empty for screens.
        is_copy: Marked as a copy.
        is_whole: The slip came out to its end.
    """

    request_id: str
    amount_minor: int = 0
    claim: Claim | None = None
    is_stored: bool = False
    is_saved: bool = False
    document: str = ""
    is_copy: bool = False
    is_whole: bool = True


#: Words of screens about money, the longest first: 没有退钱 is not 钱还没退.
_SCREEN_CLAIMS: Final = (
    ("钱还没退", Claim.NOT_YET),
    ("没有退钱", Claim.NEVER),
    ("钱已退", Claim.MOVED),
    ("结果待确认", Claim.UNKNOWN),
    ("可能已退", Claim.UNKNOWN),
)
_STORED: Final = ("已提交", "后台已收到")


def read_screen(lines: list[str]) -> Sighting | None:
    """Return what a screen says about a request; None if it names none."""
    text = "\n".join(lines)
    number = _NUMBER.search(text)
    if number is None:
        return None
    line = next((one for one in lines if _SCREEN_AMOUNT.search(one)), "")
    amount = _SCREEN_AMOUNT.search(line)
    claim = next((claim for words, claim in _SCREEN_CLAIMS if words in line), None)
    return Sighting(
        request_id=number[0].replace(" ", ""),
        amount_minor=int(amount[1] + amount[2]) if amount else 0,
        claim=claim,
        is_stored=any(words in text for words in _STORED),
        is_saved=True,
    )


_COPY: Final = "DUPLICATED COPY"
#: English titles of slips, which stand on a line of their own, with document and claim.
_TITLES: Final = {
    "REFUND REQUEST": ("request", None),
    "REFUNDED": ("result", Claim.MOVED),
    "REFUND FAILED": ("result", Claim.NEVER),
    "REFUND REJECTED": ("result", Claim.NEVER),
    "WITHDRAWN": ("result", Claim.NEVER),
    "HANDLED BY HAND": ("result", Claim.UNKNOWN),
    "CLOSED BY HAND": ("result", None),
}
_END: Final = "12315"


def read_slip(event: dict[str, Any]) -> list[Sighting]:
    """Return what a sheet says; a sheet that was not cut after a fault carries more than one document."""
    lines = [str(line).strip() for line in event["lines"]]
    starts = [index for index, line in enumerate(lines) if line in _TITLES]
    found = []
    for position, start in enumerate(starts):
        is_last = position + 1 == len(starts)
        part = lines[start : None if is_last else starts[position + 1]]
        before = lines[max(0, start - 3) : start]
        sighting = _read_document(part, is_copy=any(_COPY in line for line in before))
        if sighting is not None:
            found.append(sighting)
    return found


def _read_document(lines: list[str], *, is_copy: bool) -> Sighting | None:
    number = next((found[0].replace(" ", "") for line in lines if (found := _NUMBER.search(line))), "")
    if not number:
        return None
    document, claim = _TITLES[lines[0]]
    if document == "request":
        document = "merchant" if any("MERCHANT COPY" in line for line in lines) else "customer"
    amount = next((found for line in lines if (found := _SLIP_AMOUNT.match(line))), None)
    return Sighting(
        request_id=number,
        amount_minor=int(amount[1] + amount[2]) if amount else 0,
        claim=claim,
        is_saved=True,
        document=document,
        is_copy=is_copy,
        is_whole=any(_END in line for line in lines),
    )
