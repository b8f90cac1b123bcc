"""The list of tills: one page of them from one snapshot, however many there are."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backoffice import anchors
from backoffice.desired import progress
from backoffice.desired.progress import TillConfig
from backoffice.store.schema import OutboxRow, Refund, Terminal
from backoffice.web.lists import escaped

PAGE = 50
#: What a list may be narrowed to.
VIEWS = ("all", "problems", "online", "offline")
SORTS = ("id", "seen")


class TillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One till in the list.

    Attributes:
        missing: Submissions that the till has made after the newest that we have: its outbox as far as we know.
        undelivered: States that we have for it and that it has not acknowledged: our outbox to it.
        problems: ``denied``, ``suspect``, ``missing``, ``undelivered`` while it is online, ``config`` if the newest one
            did not stay; empty = none known.
        config: What it runs, was given and said.
    """

    terminal_id: str
    merchant_id: str
    is_online: bool
    is_denied: bool
    is_suspect: bool
    agent_version: str
    last_seen_at: datetime | None
    last_seq: int
    missing: int
    undelivered: int
    problems: list[str]
    audit_lines: int
    audit_head: str
    config: TillConfig


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """One page of tills, and how many there are of each kind."""

    rows: list[TillLine]
    number: int
    pages: int
    total: int
    counts: dict[str, int]
    versions: dict[str, int]


_HAS_OUTBOX = exists().where(OutboxRow.terminal_id == Terminal.terminal_id)
#: The newest submission that we have of a till: one look into an index, however many there are.
_STORED = (
    select(func.coalesce(func.max(Refund.terminal_seq), 0))
    .where(Refund.terminal_id == Terminal.terminal_id)
    .correlate(Terminal)
    .scalar_subquery()
)
_PROBLEM = or_(
    Terminal.is_denied.is_(True),
    Terminal.is_suspect.is_(True),
    Terminal.is_online.is_(True) & _HAS_OUTBOX,
    Terminal.last_seq > _STORED,
    progress.WENT_WRONG,
)


def fleet(
    session: Session,
    *,
    view: str = "all",
    words: str = "",
    version: str = "",
    sort: str = "id",
    number: int = 1,
    limit: int = PAGE,
) -> Fleet:
    """Return a page of tills.

    Args:
        session: Reading.
        view: One of `VIEWS`.
        words: Part of the terminal's or the merchant's id.
        version: Of the agent; empty = all.
        sort: ``id``, or ``seen``: those silent longest first.
        number: Which page; one behind the last is the last.
        limit: Rows of a page.
    """
    conditions = _conditions(view, words, version)
    total = session.scalar(select(func.count()).select_from(Terminal).where(*conditions)) or 0
    pages = max(1, -(-total // limit))
    number = min(max(1, number), pages)
    order = (Terminal.last_seen_at.asc().nulls_first(),) if sort == "seen" else ()
    statement = select(Terminal).where(*conditions).order_by(*order, Terminal.terminal_id)
    found = session.scalars(statement.limit(limit).offset((number - 1) * limit)).all()
    return Fleet(
        rows=_lines(session, list(found)),
        number=number,
        pages=pages,
        total=total,
        counts=_counts(session),
        versions=_versions(session),
    )


def _conditions(view: str, words: str, version: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if view == "problems":
        conditions.append(_PROBLEM)
    elif view in ("online", "offline"):
        conditions.append(Terminal.is_online.is_(view == "online"))
    if words:
        pattern = f"%{escaped(words)}%"
        conditions.append(
            or_(Terminal.terminal_id.ilike(pattern, escape="\\"), Terminal.merchant_id.ilike(pattern, escape="\\"))
        )
    if version:
        conditions.append(Terminal.agent_version == version)
    return conditions


def _counts(session: Session) -> dict[str, int]:
    online = func.sum(case((Terminal.is_online.is_(True), 1), else_=0))
    total, there = session.execute(select(func.count(), online).select_from(Terminal)).one()
    problems = session.scalar(select(func.count()).select_from(Terminal).where(_PROBLEM)) or 0
    return {"all": total, "online": int(there or 0), "offline": total - int(there or 0), "problems": problems}


def _versions(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(Terminal.agent_version, func.count())
        .where(Terminal.agent_version != "")
        .group_by(Terminal.agent_version)
        .order_by(func.count().desc())
        .limit(20)
    )
    return {version: int(count) for version, count in rows}


def _lines(session: Session, terminals: list[Terminal]) -> list[TillLine]:
    ids = [terminal.terminal_id for terminal in terminals]
    undelivered = _by_till(session, select(OutboxRow.terminal_id, func.count()), OutboxRow.terminal_id, ids)
    stored = _by_till(session, select(Refund.terminal_id, func.max(Refund.terminal_seq)), Refund.terminal_id, ids)
    heads = anchors.newest(session, ids)
    configs = progress.tills(session, ids)
    lines = []
    for terminal in terminals:
        head = heads.get(terminal.terminal_id)
        missing = max(0, terminal.last_seq - stored.get(terminal.terminal_id, 0))
        waiting = undelivered.get(terminal.terminal_id, 0)
        lines.append(
            TillLine(
                terminal_id=terminal.terminal_id,
                merchant_id=terminal.merchant_id,
                is_online=terminal.is_online,
                is_denied=terminal.is_denied,
                is_suspect=terminal.is_suspect,
                agent_version=terminal.agent_version,
                last_seen_at=terminal.last_seen_at,
                last_seq=terminal.last_seq,
                missing=missing,
                undelivered=waiting,
                problems=_problems(terminal, missing, waiting, configs[terminal.terminal_id]),
                audit_lines=head.line if head else 0,
                audit_head=head.head if head else "",
                config=configs[terminal.terminal_id],
            )
        )
    return lines


def _by_till(
    session: Session, counted: Select[str, int], column: InstrumentedAttribute[str], ids: list[str]
) -> dict[str, int]:
    rows = session.execute(counted.where(column.in_(ids)).group_by(column))
    return {terminal_id: int(count) for terminal_id, count in rows}


def _problems(terminal: Terminal, missing: int, undelivered: int, config: TillConfig) -> list[str]:
    found = {
        "denied": terminal.is_denied,
        "suspect": terminal.is_suspect,
        "missing": missing > 0,
        "undelivered": undelivered > 0 and terminal.is_online,
        "config": config.is_wrong,
    }
    return [name for name, is_so in found.items() if is_so]
