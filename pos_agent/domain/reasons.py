"""Refund reasons: codes, and what each demands (payments.md section 9a). The list itself is config/reasons.toml."""

from enum import StrEnum

import msgspec


class Demand(StrEnum):
    """What a reason asks for beyond its code."""

    NONE = ""
    PHRASE = "phrase"
    SUPERVISOR = "supervisor"
    PARTIAL_ONLY = "partial_only"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason.

    Attributes:
        code: ``R01`` … ``R99``.
        key: The digit on the first page that chooses it; empty = reached through 0 and its two digits.
        zh, en: Full label; `zh_short`, `en_short` fit the 20×4 screen.
    """

    code: str
    zh: str
    en: str
    zh_short: str = ""
    en_short: str = ""
    key: str = ""
    demand: Demand = Demand.NONE
    slip_zh: str = ""


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered phrase: the keypad's substitute for free text (D27)."""

    number: str
    zh: str
    en: str
