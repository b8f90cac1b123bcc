"""A slip as a document: what is printed, not how. `pos_agent.printing.slips` makes it, a printer's profile renders it.

Blocks are plain data so that the journal keeps them as JSON and a changed profile can render them again (D12).
"""

from enum import StrEnum
from typing import Final

import msgspec


class Align(StrEnum):
    """Horizontal alignment."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A paragraph; wrapped at the paper's columns. `width`/`height` are multiples of the font, 1 or 2."""

    text: str
    align: Align = Align.LEFT
    width: int = 1
    height: int = 1
    bold: bool = False
    #: True for a line with money or an identifier: if it cannot be encoded, the slip is refused, not printed wrong.
    is_critical: bool = False


class Row(msgspec.Struct, frozen=True, tag="row", omit_defaults=True):
    """Label left, value right, on one line if both fit, else the value on its own line."""

    label: str
    value: str
    height: int = 1
    bold: bool = False
    is_critical: bool = False


class Rule(msgspec.Struct, frozen=True, tag="rule"):
    """A full-width line of dashes."""


class Barcode(msgspec.Struct, frozen=True, tag="barcode", omit_defaults=True):
    """Code128 set C: an even number of digits."""

    digits: str
    height_dots: int = 80


class QrCode(msgspec.Struct, frozen=True, tag="qr", omit_defaults=True):
    """A QR code of UTF-8 text, error correction M.

    Attributes:
        is_optional: Left out, with its caption, by printers that do not draw QR codes themselves.
        caption: A line below it.
    """

    text: str
    module_dots: int = 4
    is_optional: bool = False
    caption: str = ""


class Feed(msgspec.Struct, frozen=True, tag="feed"):
    """Blank lines."""

    lines: int = 1


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """Feed past the knife and cut; ends one sheet."""


Block = Text | Row | Rule | Barcode | QrCode | Feed | Cut


class SlipKind(StrEnum):
    """What a slip is; with the request id and a number it is unique in the journal (D6)."""

    REQUEST_MERCHANT = "request_merchant"
    REQUEST_CUSTOMER = "request_customer"
    RESULT = "result"
    REJECT = "reject"
    POLICY = "policy"
    SHIFT = "shift"
    APPROVAL = "approval"


#: After an original of these the cash drawer may open by itself: nobody practises them, and they are few.
DRAWER_KINDS: Final = frozenset({SlipKind.SHIFT, SlipKind.RESULT})


class SlipDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A slip, ready to be rendered.

    Attributes:
        refund_request_id: The request it belongs to; empty for policy, shift and approval slips.
        copy_no: 0 = original; 1, 2, … = marked 重打印 COPY n (D13).
    """

    kind: SlipKind
    blocks: tuple[Block, ...]
    refund_request_id: str = ""
    copy_no: int = 0


class PrintOutcome(StrEnum):
    """How a print job ended, never more than was proved (D13)."""

    CONFIRMED = "confirmed"
    PROCESSED = "processed"
    SENT_CLEAN = "sent_clean"
    SENT = "sent"
    UNKNOWN = "unknown"
    #: Too old to print by itself; a person may ask for a copy.
    EXPIRED = "expired"
    #: Could not be rendered, see `UnencodableError`.
    REFUSED = "refused"
