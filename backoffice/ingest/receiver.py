"""From bytes to effects: one transaction for a batch, one savepoint for each message, replies after the commit."""

import hashlib
import logging
from collections.abc import Sequence

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice.ingest import follow_ups, lookup, requests, sync, telling
from backoffice.ingest.context import Context, Incoming, Reply
from backoffice.refunds import current_epoch
from backoffice.store.database import Database
from backoffice.store.schema import RefusedBytes, Terminal
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.codec import decode_up
from pos_agent.protocol.envelope import MAX_ENVELOPE_BYTES, UP_TYPE, public_key_from_base64, unseal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    PresenceMessage,
    RefundAnswerMessage,
    RefundRequestMessage,
    RefundStatusMessage,
    RefundWithdrawMessage,
    SaleLookUpMessage,
    StateAckMessage,
    SyncMessage,
    TerminalEventMessage,
    UpMessage,
)
from pos_agent.protocol.topics import Leaf, parse_terminal_topic

_log = logging.getLogger(__name__)


class _Head(msgspec.Struct):
    """The fields of a message that an answer needs, read leniently."""

    terminal_id: str = ""
    type: str = ""
    refund_request_id: str = ""
    rev: int = 1
    request: dict[str, object] = {}

    @property
    def request_id(self) -> str:
        """Return the request id, wherever this kind of message has it."""
        found = self.refund_request_id or self.request.get("refund_request_id", "")
        return found if isinstance(found, str) and is_refund_request_id(found) else ""


class Receiver:
    """Turns what the broker delivers into rows and replies."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database = database
        self._context = context

    def receive(self, batch: Sequence[Incoming]) -> list[Reply]:
        """Store a batch and return what to answer; everything is committed when this returns (D7)."""
        replies: list[Reply] = []
        with self._database.writing() as session:
            for incoming in batch:
                replies.extend(self._receive_one(session, incoming))
        return replies

    def _receive_one(self, session: Session, incoming: Incoming) -> list[Reply]:
        for _ in range(2):
            try:
                with session.begin_nested():
                    return self._handle(session, incoming)
            except IntegrityError:
                # Another worker stored the same message between our look and our insert: now it is a duplicate.
                continue
        return []

    def _handle(self, session: Session, incoming: Incoming) -> list[Reply]:
        parsed = parse_terminal_topic(incoming.topic)
        if parsed is None or not incoming.payload or parsed[1] in (Leaf.UP_TELE, "up/log", "up/res"):
            return []
        terminal = session.get(Terminal, parsed[0])
        if terminal is None:
            return self._refuse_stranger(session, incoming, parsed[0])
        payload = b""
        try:
            keys = {kid: public_key_from_base64(key) for kid, key in terminal.device_keys.items()}
            payload, _ = unseal(incoming.payload, payload_type=UP_TYPE, keys=keys)
            message = decode_up(payload)
            if message.terminal_id != terminal.terminal_id:
                raise SignatureError(f"payload of {message.terminal_id} on the topic of {terminal.terminal_id}")
        except RemoteProtocolError as error:
            return self._refuse(session, incoming, error, terminal.terminal_id, payload)
        return self._dispatch(session, terminal, message, incoming)

    def _dispatch(self, session: Session, terminal: Terminal, message: UpMessage, incoming: Incoming) -> list[Reply]:
        context = self._context
        match message:
            case RefundRequestMessage():
                ack = requests.ingest(session, context, terminal, message)
                if ack.status is AckStatus.MALFORMED:
                    keep(session, context, incoming, cause="malformed", detail=ack.detail)
                return [Reply(terminal.terminal_id, Leaf.DOWN_ACK, ack)]
            case RefundWithdrawMessage() | RefundAnswerMessage():
                ack = follow_ups.ingest(session, context, terminal, message)
                return [Reply(terminal.terminal_id, Leaf.DOWN_ACK, ack)]
            case SaleLookUpMessage():
                return [
                    Reply(terminal.terminal_id, Leaf.DOWN_ANSWER, lookup.answer(session, context, terminal, message))
                ]
            case SyncMessage():
                return sync.answer(session, context, terminal, message)
            case StateAckMessage():
                telling.acknowledge(session, context, terminal, message)
            case RefundStatusMessage():
                return telling.status(session, context, terminal, message)
            case TerminalEventMessage():
                telling.keep_event(session, terminal, message)
            case PresenceMessage():
                telling.note_presence(session, context, terminal, message)
        return []

    def _refuse(
        self, session: Session, incoming: Incoming, error: RemoteProtocolError, terminal_id: str, payload: bytes
    ) -> list[Reply]:
        """Keep the bytes; answer only what the till's own signature covers, so that nobody else can hold its row."""
        keep(session, self._context, incoming, cause=type(error).status, detail=str(error))
        if not payload or isinstance(error, SignatureError):
            return []
        head = _read_head(payload)
        if head is None or head.terminal_id != terminal_id or not head.request_id:
            return []
        return [self._nack(session, head, terminal_id, AckStatus(type(error).status), str(error))]

    def _refuse_stranger(self, session: Session, incoming: Incoming, terminal_id: str) -> list[Reply]:
        """Answer a terminal that is not enrolled; nothing of it is believed."""
        keep(session, self._context, incoming, cause="unknown_terminal", detail=f"terminal_id={terminal_id}")
        head = _read_unverified(incoming.payload)
        if head is None or head.terminal_id != terminal_id or not head.request_id:
            return []
        return [self._nack(session, head, terminal_id, AckStatus.UNKNOWN_TERMINAL, "terminal is not enrolled")]

    def _nack(self, session: Session, head: _Head, terminal_id: str, status: AckStatus, detail: str) -> Reply:
        ack = AppAckMessage(
            terminal_id=terminal_id,
            refund_request_id=head.request_id,
            kind=head.type,
            rev=head.rev,
            status=status,
            epoch=current_epoch(session),
            at=self._context.now(),
            detail=detail[:200],
        )
        return Reply(terminal_id, Leaf.DOWN_ACK, ack)


def keep(session: Session, context: Context, incoming: Incoming, *, cause: str, detail: str) -> None:
    """Keep refused bytes once, count repeats, log the first (D8)."""
    digest = hashlib.sha256(incoming.topic.encode() + b"\0" + incoming.payload).hexdigest()
    row = session.get(RefusedBytes, digest)
    if row is not None:
        row.count += 1
        row.last_at = context.now()
        return
    _log.warning("refused topic=%s cause=%s bytes=%d", incoming.topic, cause, len(incoming.payload))
    session.add(
        RefusedBytes(
            sha256=digest,
            topic=incoming.topic[:200],
            cause=cause,
            detail=detail[:500],
            size_bytes=len(incoming.payload),
            data=incoming.payload[:MAX_ENVELOPE_BYTES],
            count=1,
            first_at=context.now(),
            last_at=context.now(),
        )
    )
    session.flush()


def _read_head(payload: bytes) -> _Head | None:
    try:
        return msgspec.json.decode(payload, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _read_unverified(envelope: bytes) -> _Head | None:
    class Outer(msgspec.Struct, rename="camel"):
        payload: bytes

    if len(envelope) > MAX_ENVELOPE_BYTES:
        return None
    try:
        return _read_head(msgspec.json.decode(envelope, type=Outer).payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
