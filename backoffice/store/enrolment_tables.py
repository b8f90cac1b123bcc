"""Tables of enrolment: who was invited, which certificates were signed, who waits for a click."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backoffice.store.schema import Base


class InvitationRow(Base):
    """The newest invitation of a till: one at a time, a new one ends the one before.

    `code_hash` is the SHA-256 of 80 random bits; `tries` counts wrong codes; the columns from `device_key` on are what
    the till brought with the right code. `supervisor` is a `pos_agent.protocol.enrolment.Supervisor`, or empty.
    """

    __tablename__ = "invitations"
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(String(64))
    merchant_name: Mapped[str] = mapped_column(String(200), default="")
    store_name: Mapped[str] = mapped_column(String(200), default="")
    supervisor: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ends_revocation: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(80))
    code_hash: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    device_key: Mapped[str] = mapped_column(String(64), default="")
    csr: Mapped[str] = mapped_column(Text, default="")
    claimed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str] = mapped_column(String(80), default="")
    refused_at: Mapped[datetime | None]
    chain: Mapped[str] = mapped_column(Text, default="")


class CertificateRow(Base):
    """A certificate that was signed for a till; `csr_hash` finds it again when the answer was lost."""

    __tablename__ = "certificates"
    __table_args__ = (Index("ix_certificates_terminal", "terminal_id", "not_after"),)
    serial: Mapped[str] = mapped_column(String(48), primary_key=True)
    terminal_id: Mapped[str] = mapped_column(String(40))
    csr_hash: Mapped[str] = mapped_column(String(64))
    chain: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(String(80))
    not_after: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class RenewalRow(Base):
    """A till that asked with an expired certificate, and whether a person accepted it."""

    __tablename__ = "renewals"
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    csr_hash: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str] = mapped_column(String(80), default="")
