"""From bytes to effects: one transaction for a batch, one savepoint for each message, replies after the commit."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from backoffice.ingest import follow_ups, lookup, requests, sync, telling
from backoffice.ingest.context import Context, Incoming, Reply
from backoffice.refunds import current_epoch
from backoffice.store.database import Database
from backoffice.store.schema import RefusedBytes, Terminal
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.codec import decode_up
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import MAX_ENVELOPE_BYTES, UP_TYPE, unseal
from pos_agent.protocol.messages import (
    CLEARING_STATUSES,
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


class _Opened(msgspec.Struct, frozen=True):
    """A message whose signature is its till's."""

    incoming: Incoming
    terminal: Terminal
    message: UpMessage
    payload: bytes

    @property
    def request_id(self) -> str | None:
        """Return the id of a new request, None for any other message."""
        return self.message.request.refund_request_id if isinstance(self.message, RefundRequestMessage) else None

    @property
    def is_plain_ack(self) -> bool:
        """Return True for the ack of a state that was taken."""
        return isinstance(self.message, StateAckMessage) and self.message.status in CLEARING_STATUSES


class _Refused(msgspec.Struct, frozen=True):
    """A message that cannot be used; without `error` its terminal is not enrolled."""

    incoming: Incoming
    terminal_id: str
    error: RemoteProtocolError | None
    payload: bytes = b""


_Work = list[_Opened] | _Refused


@lru_cache(maxsize=4096)
def _public_key(text: str) -> PublicKey:
    return PublicKey.from_base64(text)


class Receiver:
    """Turns what the broker delivers into rows and replies."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database = database
        self._context = context

    def receive(self, batch: Sequence[Incoming]) -> list[Reply]:
        """Store a batch and return what to answer; everything is committed when this returns (D7)."""
        replies: list[Reply] = []
        with self._database.writing() as session:
            for work in self._grouped(session, batch):
                replies.extend(self._perform(session, work))
        return replies

    def _grouped(self, session: Session, batch: Sequence[Incoming]) -> Iterator[_Work]:
        """Join acks of states, then neighbouring requests with different ids; every other message stands alone.

        The order is kept but for the acks, which come first: they have a topic of their own, whose order against the
        others no broker promises, and they would cut the row of requests into pieces.
        """
        terminals: dict[str, Terminal | None] = {}
        opened = [work for each in batch if (work := self._open(session, each, terminals)) is not None]
        acks = [work for work in opened if isinstance(work, _Opened) and work.is_plain_ack]
        if acks:
            yield acks
        group: dict[str | None, _Opened] = {}
        for work in opened:
            if isinstance(work, _Opened) and work.is_plain_ack:
                continue
            request_id = work.request_id if isinstance(work, _Opened) else None
            if group and (request_id is None or request_id in group):
                yield list(group.values())
                group = {}
            if isinstance(work, _Refused):
                yield work
            elif request_id is None:
                yield [work]
            else:
                group[request_id] = work
        if group:
            yield list(group.values())

    def _perform(self, session: Session, work: _Work) -> list[Reply]:
        for _ in range(2):
            try:
                with session.begin_nested():
                    return self._handle(session, work)
            except IntegrityError:
                # Another worker stored the same message between our look and our insert: now it is a duplicate.
                if isinstance(work, list) and len(work) > 1:
                    return self._one_by_one(session, work)
            except DataError as error:
                # A column does not hold it: this message is refused, and no other suffers. PostgreSQL minds lengths.
                if isinstance(work, list) and len(work) > 1:
                    return self._one_by_one(session, work)
                return self._refuse_unstorable(session, work, error)
        return []

    def _one_by_one(self, session: Session, group: list[_Opened]) -> list[Reply]:
        return [reply for each in group for reply in self._perform(session, [each])]

    def _refuse_unstorable(self, session: Session, work: _Work, error: DataError) -> list[Reply]:
        if isinstance(work, _Refused):
            raise error
        opened = work[0]
        cause = RemoteProtocolError(f"a value that no column holds: {error.orig}")
        return self._refuse(session, _Refused(opened.incoming, opened.terminal.terminal_id, cause, opened.payload))

    def _handle(self, session: Session, work: _Work) -> list[Reply]:
        if isinstance(work, _Refused):
            return self._refuse(session, work)
        if work[0].request_id is not None:
            return self._take_requests(session, work)
        if work[0].is_plain_ack:
            telling.acknowledge_all(session, self._context, [(each.terminal, each.message) for each in work])
            return []
        return self._dispatch(session, work[0].terminal, work[0].message)

    def _open(
        self, session: Session, incoming: Incoming, terminals: dict[str, Terminal | None]
    ) -> _Opened | _Refused | None:
        """Verify and decode one message; None for what is not for us."""
        parsed = parse_terminal_topic(incoming.topic)
        if parsed is None or not incoming.payload or parsed[1] in (Leaf.UP_TELE, "up/log", "up/res"):
            return None
        terminal_id = parsed[0]
        if terminal_id not in terminals:
            terminals[terminal_id] = session.get(Terminal, terminal_id)
        terminal = terminals[terminal_id]
        if terminal is None:
            return _Refused(incoming, terminal_id, None)
        payload = b""
        try:
            keys = {kid: _public_key(key) for kid, key in terminal.device_keys.items()}
            payload, _ = unseal(incoming.payload, payload_type=UP_TYPE, keys=keys)
            message = decode_up(payload)
            if message.terminal_id != terminal.terminal_id:
                raise SignatureError(f"payload of {message.terminal_id} on the topic of {terminal.terminal_id}")
        except RemoteProtocolError as error:
            return _Refused(incoming, terminal_id, error, payload)
        return _Opened(incoming, terminal, message, payload)

    def _take_requests(self, session: Session, group: list[_Opened]) -> list[Reply]:
        pairs = [(each.terminal, each.message) for each in group if isinstance(each.message, RefundRequestMessage)]
        acks, states = requests.ingest(session, self._context, pairs)
        for each, ack in zip(group, acks, strict=True):
            if ack.status is AckStatus.MALFORMED:
                keep(session, self._context, each.incoming, cause="malformed", detail=ack.detail)
        return [Reply(ack.terminal_id, Leaf.DOWN_ACK, ack) for ack in acks] + [
            Reply(state.terminal_id, Leaf.DOWN_REFUND, state) for state in states
        ]

    def _dispatch(self, session: Session, terminal: Terminal, message: UpMessage) -> list[Reply]:
        context = self._context
        match message:
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

    def _refuse(self, session: Session, refused: _Refused) -> list[Reply]:
        """Keep the bytes; answer only what the till's own signature covers, so that nobody else can hold its row.

        A terminal that is not enrolled is told so; nothing of it is believed.
        """
        incoming, terminal_id, error = refused.incoming, refused.terminal_id, refused.error
        if error is None:
            keep(session, self._context, incoming, cause="unknown_terminal", detail=f"terminal_id={terminal_id}")
            head = _read_unverified(incoming.payload)
            status, detail = AckStatus.UNKNOWN_TERMINAL, "terminal is not enrolled"
        else:
            keep(session, self._context, incoming, cause=type(error).status, detail=str(error))
            is_signed = bool(refused.payload) and not isinstance(error, SignatureError)
            head = _read_head(refused.payload) if is_signed else None
            status, detail = AckStatus(type(error).status), str(error)
        if head is None or head.terminal_id != terminal_id or not head.request_id:
            return []
        return [self._nack(session, head, terminal_id, status, detail)]

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
            detail=detail.replace("\0", " ")[:500],
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_unverified(envelope: bytes) -> _Head | None:
    class Outer(msgspec.Struct, rename="camel"):
        payload: bytes

    if len(envelope) > MAX_ENVELOPE_BYTES:
        return None
    try:
        return _read_head(msgspec.json.decode(envelope, type=Outer).payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
