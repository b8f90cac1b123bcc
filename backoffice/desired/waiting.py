"""Which documents are to be published: the newest released one of each till, until the till has answered it."""

import msgspec
from sqlalchemy import and_, bindparam, exists, func, not_, or_, select, update
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
_THIS = (ConfigDocument.terminal_id == bindparam("till"), ConfigDocument.version == bindparam("number"))
_PUBLISHED = update(ConfigDocument).where(*_THIS).values(is_waiting=False, published_at=bindparam("at"))
_RELEASED = update(ConfigDocument).where(*_THIS).values(is_waiting=True, released_at=bindparam("at"))
_OF_TILLS = ConfigDocument.terminal_id.in_(bindparam("tills", expanding=True))
#: `IS NOT 0` and `!=` on purpose: for `IS 1` SQLite would look through all that wait, once for each chunk of tills.
_OUTDATED = (
    update(ConfigDocument).where(_OF_TILLS, ConfigDocument.is_waiting.is_not(False), ~_NEWEST).values(is_waiting=False)
)
_SETTLED = (
    update(ConfigDocument)
    .where(_OF_TILLS, ConfigDocument.released_at.is_not(None), ConfigDocument.is_waiting != and_(_NEWEST, ~_ANSWERED))
    .values(is_waiting=not_(ConfigDocument.is_waiting))
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
    at = now()
    plans = [{"till": row.terminal_id, "number": row.version, "at": at} for row in rows]
    session.connection().execute(_PUBLISHED, plans)


def offer_unanswered(session: Session) -> None:
    """Publish again what no till has answered: the broker may have lost it."""
    wanted = (ConfigDocument.released_at.is_not(None), ConfigDocument.is_waiting.is_not(True), _NEWEST, ~_ANSWERED)
    session.connection().execute(update(ConfigDocument).where(*wanted).values(is_waiting=True))


def settle(session: Session, terminal_ids: list[str]) -> None:
    """After a word of these tills: publish no more what they have, or what is older, and again what they lost."""
    session.connection().execute(_SETTLED, {"tills": terminal_ids})


def release(session: Session, *, rollout: str, is_undo: bool, terminal_ids: list[str], now: Now) -> None:
    """Release documents of these tills, and let go of older ones that still wait."""
    wanted = set(terminal_ids)
    numbers = session.execute(
        select(ConfigDocument.terminal_id, ConfigDocument.version).where(
            ConfigDocument.rollout == rollout, ConfigDocument.is_undo.is_(is_undo)
        )
    )
    at = now()
    plans = [{"till": till, "number": number, "at": at} for till, number in numbers if till in wanted]
    connection = session.connection()
    if plans:
        connection.execute(_RELEASED, plans)
    for chunk in chunks(terminal_ids):
        connection.execute(_OUTDATED, {"tills": chunk})


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
