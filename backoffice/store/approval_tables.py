"""Table of approvals that were given before their request was here, by QR code (ADR 0024)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from backoffice.store.schema import Base


class OfflineApproval(Base):
    """A person's yes to one question of one till; spent by the request with this id, once.

    Attributes:
        sale: As the till names the sale in its question.
        sums: Of the sale as the page showed them; all zero if the sale was not known.
        used_at: When its request came.
    """

    __tablename__ = "offline_approvals"
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    terminal_id: Mapped[str] = mapped_column(ForeignKey("terminals.terminal_id"))
    boot_id: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    sale: Mapped[str] = mapped_column(String(128))
    operator_no: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.person_id"))
    login: Mapped[str] = mapped_column(String(64))
    sums: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    used_at: Mapped[datetime | None]
