"""The signed request on the shop's copy of the slip, for the day when the card dies before it was sent. Pure.

The number of the submission and the head of the audit chain are given in the journal's transaction, so the code is made
there too (`Journal.finish_slips`): it costs one signature.
"""

from collections.abc import Sequence

import msgspec

from pos_agent.domain.refund import RefundRequest
from pos_agent.domain.slip import Cut, Feed, QrCode, SlipDocument, SlipKind
from pos_agent.printing import wording
from pos_agent.protocol import rescue
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import RefundRequestMessage

#: Longest text whose code fits 384 dots with modules of 4 dots and a margin: version 17, 85 modules and 8, 372 dots.
#: Source: ISO/IEC 18004:2015 table 7, error correction M, bytes.
_MOST_AT_4_DOTS = 504


class RescueCodes:
    """Adds the code to slips of requests; implements `pos_agent.journal.store.SlipFinisher`."""

    def __init__(self, *, kid: str, key: PrivateKey) -> None:
        self._kid = kid
        self._key = key

    def __call__(self, request: RefundRequest, slips: Sequence[SlipDocument]) -> Sequence[SlipDocument]:
        """Return the slips, the shop's with the code; training, and what does not fit, goes without."""
        if request.is_training or not any(slip.kind is SlipKind.REQUEST_MERCHANT for slip in slips):
            return slips
        message = RefundRequestMessage(terminal_id=request.terminal_id, request=request)
        text = rescue.write(message, kid=self._kid, key=self._key)
        if text is None:
            return slips
        return [_with_code(slip, text) if slip.kind is SlipKind.REQUEST_MERCHANT else slip for slip in slips]


def qr_code(text: str, *, caption: str, is_optional: bool = False) -> QrCode:
    """Return the block of a text of at most `pos_agent.protocol.qr_text.MAX_CHARS`, so large that it fits 58 mm."""
    dots = 4 if len(text) <= _MOST_AT_4_DOTS else 3
    return QrCode(text, module_dots=dots, is_optional=is_optional, caption=caption)


def _with_code(slip: SlipDocument, text: str) -> SlipDocument:
    code = qr_code(text, caption=wording.RESCUE, is_optional=True)
    end = len(slip.blocks) - 1 if slip.blocks and isinstance(slip.blocks[-1], Cut) else len(slip.blocks)
    return msgspec.structs.replace(slip, blocks=(*slip.blocks[:end], Feed(1), code, *slip.blocks[end:]))
