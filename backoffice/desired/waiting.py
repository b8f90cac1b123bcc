"""Which documents are to be published: the newest released one of each till, until the till has answered it."""

import msgspec
from sqlalchemy import bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from backoffice.clock import Now
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport, Rollout

BATCH = 500
PAUSED = "paused"

_other = aliased(ConfigDocument)
#: No newer document of the till was released.
_NEWEST = ~(
    exists()
    .where(
        _other.terminal_id == ConfigDocument.terminal_id,
        _other.version > ConfigDocument.version,
        _other.released_at.is_not(None),
    )
    .correlate(ConfigDocument)
)
#: The till has it, whatever became of it there, or knows a newer number: it is not offered again by itself (D17).
_ANSWERED = (
    exists()
    .where(
        ConfigReport.terminal_id == ConfigDocument.terminal_id,
        or_(
            ConfigReport.running_etag == ConfigDocument.etag,
            ConfigReport.attempted_etag == ConfigDocument.etag,
            ConfigReport.highest > ConfigDocument.version,
        ),
    )
    .correlate(ConfigDocument)
)
_WAITING = (
    select(ConfigDocument.terminal_id)
    .join(Rollout, Rollout.rollout == ConfigDocument.rollout)
    .where(ConfigDocument.is_waiting.is_(True), Rollout.state != PAUSED)
)
_PUBLISHED = (
    update(ConfigDocument)
    .where(ConfigDocument.terminal_id == bindparam("till"), ConfigDocument.version == bindparam("number"))
    .values(is_waiting=False, published_at=bindparam("at"))
)


class Waiting(msgspec.Struct, frozen=True):
    """One document to be published."""

    terminal_id: str
    version: int
    envelope: bytes


def take(session: Session) -> list[Waiting]:
    """Return a batch of what is to be published; those of a paused rollout stay."""
    rows = session.execute(_WAITING.add_columns(ConfigDocument.version, ConfigDocument.envelope).limit(BATCH))
    return [Waiting(*row) for row in rows]


def is_any(session: Session) -> bool:
    """Return True if there is something to publish; a look into an index."""
    return session.scalar(_WAITING.limit(1)) is not None


def note_published(session: Session, rows: list[Waiting], now: Now) -> None:
    """Note what the broker took."""
    plans = [{"till": row.terminal_id, "number": row.version, "at": now()} for row in rows]
    session.connection().execute(_PUBLISHED, plans)


def offer_unanswered(session: Session, terminal_ids: list[str] | None = None) -> None:
    """Publish again what its till has not answered: the broker may have lost it, or the till its card.

    Args:
        session: Writing.
        terminal_ids: Of these tills only; None = of all.
    """
    wanted = [ConfigDocument.released_at.is_not(None), _NEWEST, ~_ANSWERED]
    if terminal_ids is not None:
        wanted.append(ConfigDocument.terminal_id.in_(terminal_ids))
    session.execute(update(ConfigDocument).where(*wanted).values(is_waiting=True))


def let_go(session: Session, terminal_ids: list[str]) -> None:
    """Publish no more what its till has, or what is older than what it has."""
    mine = [ConfigDocument.terminal_id.in_(terminal_ids), ConfigDocument.is_waiting.is_(True)]
    session.execute(update(ConfigDocument).where(*mine, or_(~_NEWEST, _ANSWERED)).values(is_waiting=False))


def release(session: Session, *, rollout: str, is_undo: bool, terminal_ids: list[str], now: Now) -> None:
    """Release documents of these tills, and let go of older ones that still wait."""
    for chunk in chunks(terminal_ids):
        released = (
            update(ConfigDocument)
            .where(
                ConfigDocument.rollout == rollout,
                ConfigDocument.is_undo.is_(is_undo),
                ConfigDocument.terminal_id.in_(chunk),
            )
            .values(released_at=now(), is_waiting=True)
        )
        session.execute(released)
        session.execute(
            update(ConfigDocument)
            .where(ConfigDocument.terminal_id.in_(chunk), ConfigDocument.is_waiting.is_(True), ~_NEWEST)
            .values(is_waiting=False)
        )


def highest_numbers(session: Session, terminal_ids: list[str]) -> dict[str, int]:
    """Return the highest number taken of each till: by our documents, or as the till said (trust.md 13)."""
    found = dict.fromkeys(terminal_ids, 0)
    own = select(ConfigDocument.terminal_id, func.max(ConfigDocument.version)).group_by(ConfigDocument.terminal_id)
    told = select(ConfigReport.terminal_id, ConfigReport.highest)
    for chunk in chunks(terminal_ids):
        for statement, column in ((own, ConfigDocument.terminal_id), (told, ConfigReport.terminal_id)):
            for terminal_id, number in session.execute(statement.where(column.in_(chunk))):
                found[terminal_id] = max(found[terminal_id], number)
    return found


def chunks(terminal_ids: list[str], size: int = 500) -> list[list[str]]:
    """Cut a long list: a statement takes a bounded number of values."""
    return [terminal_ids[start : start + size] for start in range(0, len(terminal_ids), size)]
