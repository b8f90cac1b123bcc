"""The hash chain of each request, of each coupon, and of the office itself: actor, time, before, after (I6)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.store.coupon_tables import Coupon
from backoffice.store.schema import AuditLine, Meta, Refund

#: The line before the first.
ROOT = "0" * 64
#: The chain of `backoffice.deeds`, which belongs to no request and no coupon: neither is called so.
OFFICE = "office"
#: Where in `Meta` the number of its newest line is: it shows that lines were cut off the end.
OFFICE_END = "office_chain"


def line_hash(line: AuditLine) -> str:
    """Return the hex SHA-256 over a line's content and the hash before it."""
    return _hash(
        line.previous_hash,
        line.refund_request_id,
        line.number,
        line.at.isoformat(),
        line.actor,
        line.before,
        line.after,
        line.detail,
    )


def _hash(*content: str | int) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def first_line(request_id: str, *, actor: str, after: str, detail: str, at: datetime) -> dict[str, Any]:
    """Return the first line of a new request's chain, as columns for a bulk insert."""
    digest = _hash(ROOT, request_id, 1, at.isoformat(), actor, "", after, detail)
    return {
        "refund_request_id": request_id,
        "number": 1,
        "at": at,
        "actor": actor,
        "before": "",
        "after": after,
        "detail": detail,
        "previous_hash": ROOT,
        "line_hash": digest,
    }


def append(
    session: Session, request_id: str, *, actor: str, before: str, after: str, detail: str, now: Now
) -> AuditLine:
    """Add a line to a request's chain, in the caller's transaction.

    Args:
        session: Writing.
        request_id: Whose chain.
        actor: ``person:ID``, ``till:ID``, ``executor`` or ``rules``.
        before: State before; empty for the first line.
        after: State after.
        detail: English, short; no secrets.
        now: Clock.
    """
    last = session.scalars(
        select(AuditLine).where(AuditLine.refund_request_id == request_id).order_by(AuditLine.number.desc()).limit(1)
    ).one_or_none()
    line = AuditLine(
        refund_request_id=request_id,
        number=last.number + 1 if last else 1,
        at=now(),
        actor=actor,
        before=before,
        after=after,
        detail=detail,
        previous_hash=last.line_hash if last else ROOT,
    )
    line.line_hash = line_hash(line)
    session.add(line)
    return line


def first_difference(lines: Sequence[AuditLine]) -> str:
    """Return, in words, the first line of one request's chain that was changed, removed or added; empty if none."""
    previous = ROOT
    for number, line in enumerate(lines, start=1):
        if line.number != number:
            return f"line {number} is missing"
        if line.previous_hash != previous or line.line_hash != line_hash(line):
            return f"line {number} differs"
        previous = line.line_hash
    return ""


def is_chain_whole(lines: Sequence[AuditLine]) -> bool:
    """Return True if the lines of one request, in order, continue each other and none was changed."""
    return not first_difference(lines)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of all chains found.

    Attributes:
        lines: Of requests and coupons.
        deeds: Lines of the office's own chain (`backoffice.deeds`).
        differences: By request id, the first difference of its chain.
        head: Hash over the heads of all chains in order of the ids; two equal databases have the same.
    """

    requests: int
    lines: int
    deeds: int = 0
    head: str
    differences: dict[str, str]


def verify(session: Session) -> Verdict:
    """Check the chain of every request and coupon, that its last line says the state that it has, and the office's."""
    differences: dict[str, str] = {}
    counts: dict[str, int] = {}
    heads = hashlib.sha256()
    statement = (
        select(AuditLine).order_by(AuditLine.refund_request_id, AuditLine.number).execution_options(yield_per=500)
    )
    chains = groupby(session.scalars(statement), key=lambda line: line.refund_request_id)
    states = {row[0]: row[1] for row in session.execute(select(Refund.refund_request_id, Refund.state))}
    states |= {row[0]: row[1] for row in session.execute(select(Coupon.coupon_id, Coupon.state))}
    if (end := session.get(Meta, OFFICE_END)) is not None:
        states[OFFICE] = end.value
    for request_id, found in chains:
        lines = list(found)
        counts[request_id] = len(lines)
        heads.update(f"{request_id} {lines[-1].line_hash}\n".encode())
        problem = first_difference(lines)
        state = states.pop(request_id, None)
        said, whose = (str(len(lines)), "record") if request_id == OFFICE else (lines[-1].after, "request")
        if not problem and said != state:
            problem = f"the last line says {said}, the {whose} {state or 'is gone'}"
        if problem:
            differences[request_id] = problem
    differences |= dict.fromkeys(states, "has no lines")
    deeds = counts.pop(OFFICE, 0)
    return Verdict(
        requests=len(counts), lines=sum(counts.values()), deeds=deeds, head=heads.hexdigest(), differences=differences
    )
