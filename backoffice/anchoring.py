"""Hourly anchors: a signed file outside the database that says how each chain stood (I6, trust.md 21).

Who can write the database can rewrite a chain with all its hashes, and the database alone would never tell. Each line
of the file names the heads of the chains that grew since the line before, and the hash of that line; it is signed by
the back-office key and flushed. Kept elsewhere (another machine, a medium written once), it shows what was changed
or taken away since. It cannot show what was never written.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice.audit import ROOT
from backoffice.clock import Now
from backoffice.signing import ANCHOR_TYPE, Signer
from backoffice.store.schema import AuditLine
from pos_agent.errors import RemoteProtocolError
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import unseal

PERIOD = timedelta(hours=1)
#: Lines written by a worker whose clock is behind, or by a long transaction, are looked for again.
_OVERLAP = timedelta(minutes=10)
#: Heads in one line: an envelope has a largest size.
_BATCH = 400
_TAIL_BYTES = 256 * 1024


class AnchorLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one line says.

    Attributes:
        number: 1, 2, 3 … without gaps.
        previous: Hex SHA-256 of the line before, zeros for the first.
        heads: Request id, number and hash of the newest line of each chain that grew.
    """

    number: int
    at: datetime
    previous: str
    heads: tuple[tuple[str, int, str], ...]


def last_line(path: Path) -> tuple[AnchorLine, str] | None:
    """Return the last whole line of an anchor file and its hash; None if there is none.

    Raises:
        ValueError: It is not an anchor file.
    """
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1].splitlines()
    if not whole:
        return None
    return _payload(whole[-1]), _hash(whole[-1])


def append(session: Session, path: Path, signer: Signer, now: Now) -> int:
    """Write the heads that changed since the last line; returns how many. A line without heads says "none changed".

    Raises:
        OSError: The file cannot be written: nothing is anchored.
    """
    known = last_line(path)
    since = known[0].at - _OVERLAP if known else None
    at, number, previous = now(), known[0].number if known else 0, known[1] if known else ROOT
    heads = _heads(session, since)
    lines = []
    for start in range(0, max(1, len(heads)), _BATCH):
        number += 1
        line = AnchorLine(number=number, at=at, previous=previous, heads=tuple(heads[start : start + _BATCH]))
        sealed = signer.seal_anchor(msgspec.json.encode(line))
        previous = _hash(sealed)
        lines.append(sealed)
    _write(path, lines)
    return len(heads)


def _heads(session: Session, since: datetime | None) -> list[tuple[str, int, str]]:
    grown = select(AuditLine.refund_request_id, func.max(AuditLine.number).label("number"))
    if since is not None:
        grown = grown.where(AuditLine.at > since)
    newest = grown.group_by(AuditLine.refund_request_id).subquery()
    rows = session.execute(
        select(AuditLine.refund_request_id, AuditLine.number, AuditLine.line_hash)
        .join(
            newest,
            (AuditLine.refund_request_id == newest.c.refund_request_id) & (AuditLine.number == newest.c.number),
        )
        .order_by(AuditLine.refund_request_id)
    )
    return [(request_id, number, digest) for request_id, number, digest in rows]


def _write(path: Path, lines: Sequence[bytes]) -> None:
    """Append and flush; the rest of a line that a power cut tore is cut off first, it was never promised."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        os.ftruncate(descriptor, size - torn)
        os.lseek(descriptor, 0, os.SEEK_END)
        with os.fdopen(os.dup(descriptor), "ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.close(descriptor)


class AnchorVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check against an anchor file found.

    Attributes:
        difference: The first that does not agree, in words; empty if all agree.
    """

    lines: int
    heads: int
    last_at: datetime | None
    difference: str = ""


def verify(session: Session, path: Path, keys: Mapping[str, PublicKey]) -> AnchorVerdict:
    """Check the file itself, then that every head it names is in the database.

    Args:
        session: Reading.
        path: The anchor file.
        keys: Back-office keys by ``kid`` that may have signed it, older ones too.
    """
    lines = heads = 0
    last_at = None
    difference = ""
    for number, line, problem in _read(path, keys):
        if problem or line is None:
            difference = difference or f"{path.name}: line {number}: {problem}"
            break
        lines, heads, last_at = number, heads + len(line.heads), line.at
        difference = difference or _first_missing(session, number, line)
    return AnchorVerdict(lines=lines, heads=heads, last_at=last_at, difference=difference)


def _read(path: Path, keys: Mapping[str, PublicKey]) -> Iterator[tuple[int, AnchorLine | None, str]]:
    previous = ROOT
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            sealed = raw.rstrip(b"\n")
            try:
                payload, _ = unseal(sealed, payload_type=ANCHOR_TYPE, keys=keys)
                line = msgspec.json.decode(payload, type=AnchorLine)
            except (RemoteProtocolError, msgspec.DecodeError) as error:
                yield number, None, str(error)
                return
            if line.number != number or line.previous != previous:
                yield number, None, "does not follow the line before"
                return
            previous = _hash(sealed)
            yield number, line, ""


def _first_missing(session: Session, number: int, line: AnchorLine) -> str:
    ids = [request_id for request_id, _, _ in line.heads]
    found = {
        (request_id, count): digest
        for request_id, count, digest in session.execute(
            select(AuditLine.refund_request_id, AuditLine.number, AuditLine.line_hash).where(
                AuditLine.refund_request_id.in_(ids)
            )
        )
    }
    for request_id, count, digest in line.heads:
        if found.get((request_id, count)) != digest:
            what = "differs" if (request_id, count) in found else "is gone"
            return (
                f"request {request_id}: line {count}, anchored {line.at:%Y-%m-%d %H:%M} UTC (anchor {number}), {what}"
            )
    return ""


def _payload(sealed: bytes) -> AnchorLine:
    class Outer(msgspec.Struct):
        payload: bytes

    return msgspec.json.decode(msgspec.json.decode(sealed, type=Outer).payload, type=AnchorLine)


def _hash(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()
