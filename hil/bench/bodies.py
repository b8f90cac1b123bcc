"""What the calls of the bench API take; unknown fields are refused. The OpenAPI document is made from these."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec


class KeyCap(StrEnum):
    """A key as its cap says: the till's `Key`, and ``00``, which is one cap and sends two zeros."""

    K0 = "0"
    K1 = "1"
    K2 = "2"
    K3 = "3"
    K4 = "4"
    K5 = "5"
    K6 = "6"
    K7 = "7"
    K8 = "8"
    K9 = "9"
    K00 = "00"
    DOT = "DOT"
    ENTER = "ENTER"
    CLEAR = "CLEAR"
    CANCEL = "CANCEL"
    FN = "FN"
    NEXT = "NEXT"
    F1 = "F1"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"


class KeysBody(msgspec.Struct, forbid_unknown_fields=True):
    """Keys to press, one after the other. `hold_ms` keeps each down; `gap_ms` is the pause between two."""

    keys: Annotated[list[KeyCap], msgspec.Meta(min_length=1, max_length=64)]
    hold_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    gap_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 20


class ScanBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the scanner sends: `data` as UTF-8 or `hex`, not both.

    Attributes:
        suffix: Sent after the data; CR by default, empty for none.
        chunks: Lengths in bytes of the pieces that arrive apart.
        symbology: AIM identifier sent before the data, such as ``]C1``.
    """

    data: Annotated[str, msgspec.Meta(max_length=16_384)] = ""
    hex: Annotated[str, msgspec.Meta(max_length=32_768)] = ""
    suffix: Annotated[str, msgspec.Meta(max_length=4)] = "\r"
    chunks: list[Annotated[int, msgspec.Meta(ge=1)]] | None = None
    symbology: Annotated[str, msgspec.Meta(pattern=r"^(\][A-Za-z][0-9A-Za-z])?$")] = ""


class ScannerKind(StrEnum):
    """A scanner that the bench can put on the till."""

    PLAIN = "plain"
    ACK_NAK = "ack_nak"
    SSI = "ssi"
    GROW = "grow"
    CAMERA = "camera"


class ScannerBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which scanner: text and CR, the same acknowledged, Zebra SSI, Grow GM65, or a camera."""

    kind: ScannerKind


class FaultBody(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to switch on; `device` only where several can have it."""

    kind: str
    device: str = ""
    params: dict[str, Any] = {}


_Answer = Annotated[str, msgspec.Meta(pattern=r"^(accepted|processing|timeout(:lost)?|abnormal|failed:[A-Z_]{1,40})$")]


class AcquirerBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the acquirer answers to the next refunds, in order; `settle` lets those that are processing succeed now."""

    next: list[_Answer] = []
    settle: bool = False


class Decision(StrEnum):
    """What the back office can decide."""

    APPROVE = "approve"
    REJECT = "reject"
    NEED_INFO = "need_info"
    RELEASE = "release"
    RETRY = "retry"


class DecideBody(msgspec.Struct, forbid_unknown_fields=True):
    """A decision on a refund request.

    Attributes:
        reason: Required with reject (why) and need_info (the question).
        user: Who decides; empty = the first reviewer.
    """

    refund_request_id: Annotated[str, msgspec.Meta(pattern=r"^98\d{20}$")]
    decision: Decision
    reason: str = ""
    user: str = ""


class ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    """How wrong the till's clock is, in seconds; 0 = right."""

    skew_s: Annotated[int, msgspec.Meta(ge=-2_000_000_000, le=2_000_000_000)]


class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing."""
