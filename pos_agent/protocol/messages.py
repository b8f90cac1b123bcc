"""Versioned messages, as payloads of the signed envelope.

Each message names its terminal inside the signed bytes, so that a broker cannot deliver one terminal's message to
another (D15). Unknown fields are ignored; an unknown ``type`` or ``v`` is answered with a reasoned refusal.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from pos_agent.domain.refund import OriginalReference, RefundRequest, RefundState, RefundUpdate
from pos_agent.domain.sale import LookUpResult

VERSION = 1


class AckStatus(StrEnum):
    """Answer to a message. Only STORED and DUPLICATE clear an outbox row; the others move it to ``held`` (D7, D8)."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"
    UNKNOWN_TERMINAL = "unknown_terminal"


CLEARING_STATUSES = frozenset({AckStatus.STORED, AckStatus.DUPLICATE})


class MessageKind(StrEnum):
    """Kinds of messages that are journalled and acknowledged; key = (refund_request_id, kind, rev) (D5)."""

    REFUND_REQUEST = "refund.request"
    REFUND_ANSWER = "refund.answer"
    REFUND_WITHDRAW = "refund.withdraw"
    REFUND_STATE = "refund.state"


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    terminal_id: str
    v: int = VERSION


class RefundRequestMessage(_Message, frozen=True, kw_only=True, tag="refund.request"):
    """up/refund: a new request. Money never expires: no message expiry."""

    request: RefundRequest
    rev: int = 1


class RefundAnswerMessage(_Message, frozen=True, kw_only=True, tag="refund.answer"):
    """up/refund: the cashier's answer to NEED_INFO: a numbered phrase or digits."""

    refund_request_id: str
    rev: int
    text: str
    operator_no: str
    at: datetime


class RefundWithdrawMessage(_Message, frozen=True, kw_only=True, tag="refund.withdraw"):
    """up/refund: 撤回 while the request is under review."""

    refund_request_id: str
    rev: int
    operator_no: str
    at: datetime


class StateAckMessage(_Message, frozen=True, kw_only=True, tag="state.ack"):
    """up/ack: the terminal has committed this refund.state; only this clears the back office's own outbox row."""

    refund_request_id: str
    epoch: int
    seq: int
    status: AckStatus = AckStatus.STORED


class SyncItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One non-final request with the last state that the terminal knows."""

    refund_request_id: str
    state: RefundState
    epoch: int = 0
    seq: int = 0


class SyncMessage(_Message, frozen=True, kw_only=True, tag="sync"):
    """up/sync: sent on every connect, in pages of at most 100 items (D7).

    Attributes:
        last_seq: Highest submission number ever used by this terminal.
        audit_lines, audit_head: Number and head of the last line of the terminal's audit chain (I6); 0 = not said.
        nonce: Random, new with each comparison, the same on all its pages. Echoed in the reply, and only replies to
            the newest comparison count: a signed time and a token are answers to a question, not to a minute (D19).
        token: The token of the last `SyncReply` that was kept; an old one, together with a challenge, means a clone
            or a restored card (trust.md 8, ADR 0009).
        challenge: Of the `SyncChallenge` that this comparison answers; empty if it answers none.
    """

    boot_id: str
    conn_seq: int
    last_seq: int
    page: int
    pages: int
    at: datetime
    token: str = ""
    epoch: int = 0
    nonce: str = ""
    items: tuple[SyncItem, ...] = ()
    audit_lines: int = 0
    audit_head: str = ""
    challenge: str = ""


class SaleLookUpMessage(_Message, frozen=True, kw_only=True, tag="sale.lookup"):
    """up/query: find a sale. Never journalled, message expiry 10 s."""

    lookup_id: str
    reference: OriginalReference
    operator_no: str


class RefundStatusMessage(_Message, frozen=True, kw_only=True, tag="refund.status"):
    """up/query: ask for the newest state of a request. Answered by a refund.state on down/refund."""

    lookup_id: str
    refund_request_id: str


class TerminalEventMessage(_Message, frozen=True, kw_only=True, tag="event"):
    """up/event: something that the back office should keep: printed, print_failed, journal trouble …"""

    event_id: str
    name: str
    at: datetime
    refund_request_id: str = ""
    data: dict[str, str] = {}


class PresenceMessage(_Message, frozen=True, kw_only=True, tag="presence"):
    """state (retained; also the will): is this terminal connected? An `offline` with a lower conn_seq is ignored."""

    is_online: bool
    boot_id: str
    conn_seq: int
    agent_version: str
    at: datetime
    last_seq: int = 0


class AppAckMessage(_Message, frozen=True, kw_only=True, tag="ack"):
    """down/ack: the back office's answer after its commit.

    Attributes:
        kind: A `MessageKind` value, or ``sync``.
        epoch: The back office's restore counter.
        detail: English, for engineers; no secrets.
        boot_id, conn_seq, nonce: With ``sync``: of the page that is refused; for any other comparison it means nothing.
    """

    refund_request_id: str
    kind: str
    rev: int
    status: AckStatus
    epoch: int
    at: datetime
    detail: str = ""
    boot_id: str = ""
    conn_seq: int = 0
    nonce: str = ""


class SyncReplyMessage(_Message, frozen=True, kw_only=True, tag="sync.reply"):
    """down/ack: answer to a sync page. What the terminal lacks follows as refund.state.

    Attributes:
        wanted: Requests that the back office does not have: send them again.
        highest_seq: Highest submission number that the back office has of this terminal.
        nonce: The question's, with `at` the signed time.
        token: To be journalled and shown at the next connect, if this answers the newest comparison.
    """

    boot_id: str
    conn_seq: int
    page: int
    epoch: int
    token: str
    highest_seq: int
    at: datetime
    nonce: str = ""
    wanted: tuple[str, ...] = ()


class SyncChallengeMessage(_Message, frozen=True, kw_only=True, tag="sync.challenge"):
    """down/ack: a sync page may be an old one that the broker kept; compare again at once and echo the challenge.

    Nothing of the page counts. It means nothing unless `nonce` is that of the newest comparison (ADR 0009).
    """

    nonce: str
    challenge: str
    at: datetime


class RefundStateMessage(_Message, frozen=True, kw_only=True, tag="refund.state"):
    """down/refund: the state of a request; resent until the terminal's ack."""

    update: RefundUpdate


class SaleAnswerMessage(_Message, frozen=True, kw_only=True, tag="sale.answer"):
    """down/answer: answer to sale.lookup; bound to its lookup_id."""

    result: LookUpResult
    at: datetime


class BackOfficePresenceMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="backend.presence"):
    """pos/v1/backend/state (retained; also the will): is the back office there? Signed, the same for all terminals.

    Attributes:
        instance: Random at each start; with `conn_seq` orders statements of one instance.
        term: Rises each time that another instance speaks for the back office: with `epoch` it orders instances, also
            where a will comes late. 0 = not numbered; then `at` orders them.
    """

    is_online: bool
    instance: str
    conn_seq: int
    epoch: int
    at: datetime
    v: int = VERSION
    term: int = 0


UpMessage = (
    RefundRequestMessage
    | RefundAnswerMessage
    | RefundWithdrawMessage
    | StateAckMessage
    | SyncMessage
    | SaleLookUpMessage
    | RefundStatusMessage
    | TerminalEventMessage
    | PresenceMessage
)
DownMessage = (
    AppAckMessage
    | SyncReplyMessage
    | SyncChallengeMessage
    | RefundStateMessage
    | SaleAnswerMessage
    | BackOfficePresenceMessage
)
