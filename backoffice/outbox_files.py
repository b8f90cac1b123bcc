"""Files of ``pos-agent outbox export``: what a dead or cut-off till could not send (trust.md 16).

The file is checked as a whole; then its messages go the way of the broker's, with their own signatures, deduplication
and judgement. Read twice, or sent by the till after all, each is one request.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from backoffice.ingest.context import Context, Incoming
from backoffice.ingest.receiver import Receiver
from backoffice.ingest.rescue import FLAG
from backoffice.refunds import lock_refund, touch
from backoffice.store.database import Database
from backoffice.store.schema import Terminal
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol import outbox_file
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.messages import AckStatus, AppAckMessage, MessageKind
from pos_agent.protocol.topics import Leaf, terminal_topic

#: Messages of one transaction.
_BATCH: Final = 100


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file.

    Attributes:
        refused: Why nothing of it was taken: ``forged``, ``unknown_terminal`` or ``not_ours``; empty = it was taken.
        counts: Messages by what was said about them (`AckStatus`); ``unanswered`` for those that nothing is said about.
        unreadable: Rows that the till could not read itself.
        detail: English, for engineers.
    """

    terminal_id: str = ""
    refused: str = ""
    messages: int = 0
    counts: dict[str, int] = {}
    unreadable: int = 0
    detail: str = ""

    @property
    def is_whole(self) -> bool:
        """Return True if every message stands in the back office now, and the till could read all it had."""
        here = self.counts.get(AckStatus.STORED, 0) + self.counts.get(AckStatus.DUPLICATE, 0)
        return not self.refused and not self.unreadable and here == self.messages


def is_outbox_file(path: Path) -> bool:
    """Return True if this looks like such a file; slips' codes are lines of another form."""
    try:
        with path.open("rb") as file:
            return file.read(1) in (b"[", b"{")
    except OSError:
        return False


def take(database: Database, context: Context, path: Path, *, actor: str) -> Taken:
    """Take a file.

    Args:
        database: Of the back office; it may be serving.
        context: Configuration and time.
        path: The file.
        actor: Who brought it, for the audit trail.
    Raises:
        OSError: It cannot be read.
    """
    try:
        trailer = _check(database, path)
    except SignatureError as error:
        return Taken(refused="forged", detail=str(error))
    except RemoteProtocolError as error:
        return Taken(refused="not_ours", detail=str(error))
    if trailer is None:
        return Taken(refused="unknown_terminal")
    receiver, counts = Receiver(database, context), Counter[str]()
    with path.open("rb") as file:
        messages = outbox_file.messages(islice(_lines(file), trailer.lines))
        while batch := list(islice(messages, _BATCH)):
            counts.update(_receive(receiver, database, context, trailer.terminal_id, batch, actor=actor))
    return Taken(
        terminal_id=trailer.terminal_id, messages=trailer.lines, counts=dict(counts), unreadable=trailer.unreadable
    )


def _check(database: Database, path: Path) -> outbox_file.Trailer | None:
    last, count = b"", 0
    with path.open("rb") as file:
        for line in _lines(file):
            last, count = line, count + 1
        terminal_id = outbox_file.terminal_of(last)
        with database.reading() as session:
            terminal = session.get(Terminal, terminal_id)
            if terminal is None:
                return None
            keys = {kid: PublicKey.from_base64(key) for kid, key in terminal.device_keys.items()}
        file.seek(0)
        trailer = outbox_file.check(islice(_lines(file), count - 1), last, keys=keys)
    if trailer.terminal_id != terminal_id:
        raise SignatureError(f"file of {trailer.terminal_id} in the name of {terminal_id}")
    return trailer


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(outbox_file.MAX_LINE_BYTES + 1):
        if len(line) > outbox_file.MAX_LINE_BYTES:
            raise RemoteProtocolError(f"line of more than {outbox_file.MAX_LINE_BYTES} bytes")
        yield line


def _receive(
    receiver: Receiver,
    database: Database,
    context: Context,
    terminal_id: str,
    batch: list[tuple[str, bytes]],
    *,
    actor: str,
) -> Counter[str]:
    """Hand messages to ingest as if the broker had delivered them; only what tills journal is taken."""
    incoming = [
        Incoming(terminal_topic(terminal_id, leaf), envelope) for leaf, envelope in batch if leaf == Leaf.UP_REFUND
    ]
    replies = [reply.message for reply in receiver.receive(incoming)]
    acks = [message for message in replies if isinstance(message, AppAckMessage)]
    counts = Counter[str](str(ack.status) for ack in acks)
    counts["unanswered"] += len(batch) - len(acks)
    new = [
        ack.refund_request_id
        for ack in acks
        if ack.status is AckStatus.STORED and ack.kind == MessageKind.REFUND_REQUEST.value
    ]
    with database.writing() as session:
        for request_id in new:
            refund = lock_refund(session, request_id)
            if refund is not None:
                refund.flags = sorted({*refund.flags, FLAG})
                detail = "taken from the till's outbox file"
                touch(session, refund, actor=actor, before=refund.state, detail=detail, now=context.now)
    return +counts
