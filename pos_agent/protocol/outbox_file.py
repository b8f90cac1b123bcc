"""The file of ``pos-agent outbox export``: what a till could not send, carried by hand (trust.md 16). Pure.

One JSON line a message, ``[leaf, envelope]``, the envelope exactly as the till would have published it; the last line
is an envelope of `TYPE` with a `Trailer`: how many lines there are, and their SHA-256. A file that was changed or cut
off is refused whole; a message in it is believed for its own signature, as from the broker (D15).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import MAX_ENVELOPE_BYTES, UP_TYPE, seal, unseal

TYPE: Final = "application/vnd.pos.outbox-file+json;v=1"
#: Longest line: an envelope and its leaf.
MAX_LINE_BYTES: Final = MAX_ENVELOPE_BYTES + 256


class Trailer(msgspec.Struct, frozen=True, kw_only=True):
    """What closes a file.

    Attributes:
        lines, sha256: Of everything before it.
        unreadable: Rows of the journals that are there and could not be read.
        sources: Names of the journals.
    """

    terminal_id: str
    lines: int
    sha256: str
    at: datetime
    unreadable: int = 0
    sources: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One message."""

    leaf: str
    envelope: msgspec.Raw


_LINE = msgspec.json.Decoder(Line)


class _Head(msgspec.Struct):
    terminal_id: str
    type: str


_HEAD = msgspec.json.Decoder(_Head)


class Writer:
    """Makes the lines of one file.

    Attributes:
        lines: Messages so far.
    """

    def __init__(self, terminal_id: str, *, kid: str, key: PrivateKey) -> None:
        self._terminal_id = terminal_id
        self._kid = kid
        self._key = key
        self._hash = hashlib.sha256()
        self.lines = 0

    def line(self, leaf: str, payload: bytes) -> bytes | None:
        """Return the line of a message; None if it is none of this terminal: nothing else is ever signed."""
        try:
            head = _HEAD.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if head.terminal_id != self._terminal_id:
            return None
        envelope = seal(payload, payload_type=UP_TYPE, kid=self._kid, key=self._key)
        if len(envelope) > MAX_ENVELOPE_BYTES:
            return None
        data = msgspec.json.encode(Line(leaf, msgspec.Raw(envelope))) + b"\n"
        self._hash.update(data)
        self.lines += 1
        return data

    def trailer(self, *, at: datetime, unreadable: int, sources: tuple[str, ...]) -> bytes:
        """Return the last line."""
        trailer = Trailer(
            terminal_id=self._terminal_id,
            lines=self.lines,
            sha256=self._hash.hexdigest(),
            at=at,
            unreadable=unreadable,
            sources=sources,
        )
        return seal(msgspec.json.encode(trailer), payload_type=TYPE, kid=self._kid, key=self._key) + b"\n"


class _Payload(msgspec.Struct):
    payload: bytes


def terminal_of(last_line: bytes) -> str:
    """Return whose file it claims to be.

    Raises:
        RemoteProtocolError: The last line is no trailer: another file, or cut off.
    """
    try:
        payload = msgspec.json.decode(last_line, type=_Payload).payload
        return msgspec.json.decode(payload, type=Trailer).terminal_id
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError("no outbox file, or its end is missing") from error


def check(lines: Iterable[bytes], last_line: bytes, *, keys: Mapping[str, PublicKey]) -> Trailer:
    """Check a file as a whole.

    Args:
        lines: All but the last, each with its line feed.
        last_line: The trailer.
        keys: Device keys of the terminal that `terminal_of` names, by kid.
    Raises:
        RemoteProtocolError: Not as long as it was, or no file of this kind.
        SignatureError: Changed, or not signed by one of the keys.
    """
    payload, _ = unseal(last_line.strip(), payload_type=TYPE, keys=keys)
    try:
        trailer = msgspec.json.decode(payload, type=Trailer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"trailer: {error}") from error
    digest, count = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        count += 1
    if count != trailer.lines:
        raise RemoteProtocolError(f"{count} messages, there were {trailer.lines}")
    if digest.hexdigest() != trailer.sha256:
        raise SignatureError("the messages are not those that were signed")
    return trailer


def messages(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield (leaf, envelope) of each line.

    Raises:
        RemoteProtocolError: A line is none.
    """
    for line in lines:
        try:
            found = _LINE.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RemoteProtocolError(f"line: {error}") from error
        yield found.leaf, bytes(found.envelope)
