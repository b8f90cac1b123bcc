"""Tables of signed configuration (D16, D17): what may be sent, to whom it was released, what tills said about it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from backoffice.store.schema import Base


class Rollout(Base):
    """A bundle that was pushed: one document and its undo for each of its tills.

    `share` is what part of the tills it was released to so far, in ten-thousandths (mqtt_fleet.md A.5).
    """

    __tablename__ = "config_rollouts"
    rollout: Mapped[str] = mapped_column(String(40), primary_key=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(16))
    share: Mapped[int] = mapped_column(default=0)
    signers: Mapped[list[Any]] = mapped_column(default=list)
    pushed_at: Mapped[datetime]
    pushed_by: Mapped[str] = mapped_column(String(64), default="")
    released_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class ConfigDocument(Base):
    """A signed configuration of one till, as it is published. `published_at`: a broker took it, nothing more."""

    __tablename__ = "config_documents"
    __table_args__ = (
        Index("ix_config_documents_rollout", "rollout", "is_undo", "cohort"),
        Index("ix_config_documents_etag", "terminal_id", "etag"),
        Index("ix_config_documents_waiting", "is_waiting"),
    )
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rollout: Mapped[str] = mapped_column(ForeignKey("config_rollouts.rollout"))
    is_undo: Mapped[bool]
    cohort: Mapped[int]
    etag: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    released_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    #: Released, and to be published (again).
    is_waiting: Mapped[bool] = mapped_column(default=False)


class ConfigReport(Base):
    """What a till said last about its configuration.

    `highest` is the highest number that it ever ran or accepted; `earlier_books` are records of it that ended, so that
    an old report of one is not believed again.
    """

    __tablename__ = "config_reports"
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    running_version: Mapped[int] = mapped_column(BigInteger, default=0)
    running_etag: Mapped[str] = mapped_column(String(64), default="")
    attempted_version: Mapped[int] = mapped_column(BigInteger, default=0)
    attempted_etag: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(String(40), default="")
    detail: Mapped[str] = mapped_column(String(200), default="")
    tries: Mapped[int] = mapped_column(default=0)
    agent: Mapped[str] = mapped_column(String(40), default="")
    book_id: Mapped[str] = mapped_column(String(64), default="")
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    earlier_books: Mapped[list[Any]] = mapped_column(default=list)
    at: Mapped[datetime | None]
    highest: Mapped[int] = mapped_column(BigInteger, default=0)
    reported_at: Mapped[datetime]
