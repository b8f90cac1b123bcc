"""Tables of a return to an older copy: what tills and acquirers have said since (trust.md 8)."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from backoffice.store.schema import Base


class Restore(Base):
    """One return of the database to an older copy (trust.md 8); open until everything was asked about again."""

    __tablename__ = "restores"
    epoch: Mapped[int] = mapped_column(primary_key=True)
    from_epoch: Mapped[int]
    started_at: Mapped[datetime]
    window_days: Mapped[int]
    finished_at: Mapped[datetime | None]
    finished_by: Mapped[str] = mapped_column(String(80), default="")


class RestoreTill(Base):
    """A till that was heard after a restore, and the highest submission number that it has used."""

    __tablename__ = "restore_tills"
    epoch: Mapped[int] = mapped_column(primary_key=True)
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    last_seq: Mapped[int]
    heard_at: Mapped[datetime]


class RestoreCheck(Base):
    """What the acquirer said about a refund after a restore."""

    __tablename__ = "restore_checks"
    epoch: Mapped[int] = mapped_column(primary_key=True)
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(24))
    at: Mapped[datetime]
