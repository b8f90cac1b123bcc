"""A request from the QR code of a slip, for a till that cannot send it any more (trust.md 8).

The text carries the till's own signature, so it goes the way of a message: the same key, the same deduplication, the
same judgement under the lock of the sale. Read twice, or sent by the till after all, it is one request.
"""

from enum import StrEnum

import msgspec
from sqlalchemy.orm import Session

from backoffice.ingest import requests
from backoffice.ingest.context import Context
from backoffice.refunds import lock_refund, touch
from backoffice.store.schema import Terminal
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol import rescue
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.messages import AckStatus, RefundRequestMessage

#: Flag by which reviewers see where a request came from.
FLAG = "rescued"


class Outcome(StrEnum):
    """What became of a text."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    NOT_OURS = "not_ours"
    UNKNOWN_TERMINAL = "unknown_terminal"
    FORGED = "forged"
    CONFLICT = "conflict"
    UNUSABLE = "unusable"


_OUTCOMES = {
    AckStatus.STORED: Outcome.STORED,
    AckStatus.DUPLICATE: Outcome.DUPLICATE,
    AckStatus.CONFLICT: Outcome.CONFLICT,
}


class Rescued(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a text.

    Attributes:
        refund_request_id, state: Of the request that stands; empty if it was refused.
        detail: English, for engineers.
    """

    outcome: Outcome
    refund_request_id: str = ""
    state: str = ""
    detail: str = ""

    @property
    def is_here(self) -> bool:
        """Return True if the request stands in the back office now."""
        return self.outcome in (Outcome.STORED, Outcome.DUPLICATE)

    @property
    def words(self) -> str:
        """Return the key of its sentence in `pos_agent.i18n.backoffice`."""
        return f"rescue.{self.outcome}" if self.is_here else f"error.rescue_{self.outcome}"


def take(session: Session, context: Context, text: str, *, actor: str) -> Rescued:
    """Take a request from the text of a slip's QR code.

    Args:
        session: Writing.
        context: Configuration and time.
        text: As a scanner gives it.
        actor: Who brought it, for the audit trail.
    """
    try:
        terminal = session.get(Terminal, rescue.terminal_of(text))
        if terminal is None:
            return Rescued(outcome=Outcome.UNKNOWN_TERMINAL)
        keys = {kid: PublicKey.from_base64(key) for kid, key in terminal.device_keys.items()}
        message = rescue.read(text, keys=keys)
    except SignatureError as error:
        return Rescued(outcome=Outcome.FORGED, detail=str(error))
    except RemoteProtocolError as error:
        return Rescued(outcome=Outcome.NOT_OURS, detail=str(error))
    return _ingest(session, context, terminal, message, actor)


def _ingest(
    session: Session, context: Context, terminal: Terminal, message: RefundRequestMessage, actor: str
) -> Rescued:
    [ack], _ = requests.ingest(session, context, [(terminal, message)])
    outcome = _OUTCOMES.get(ack.status, Outcome.UNUSABLE)
    refund = lock_refund(session, ack.refund_request_id)
    if outcome in (Outcome.CONFLICT, Outcome.UNUSABLE) or refund is None:
        return Rescued(outcome=outcome, detail=ack.detail)
    if outcome is Outcome.STORED:
        refund.flags = sorted({*refund.flags, FLAG})
        detail = "taken from the slip's QR code"
        touch(session, refund, actor=actor, before=refund.state, detail=detail, now=context.now)
    return Rescued(outcome=outcome, refund_request_id=refund.refund_request_id, state=refund.state)
