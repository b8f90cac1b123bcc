"""What the back office acknowledges."""

import msgspec

from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
)
from tests.fakes.samples import START, TERMINAL_ID


def ack(refund_request_id: str, status: AckStatus = AckStatus.STORED, **changes: object) -> AppAckMessage:
    message = AppAckMessage(
        terminal_id=TERMINAL_ID,
        refund_request_id=refund_request_id,
        kind="refund.request",
        rev=1,
        status=status,
        epoch=1,
        at=START,
    )
    return msgspec.structs.replace(message, **changes)
