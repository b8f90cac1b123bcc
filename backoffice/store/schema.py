"""The tables. `backoffice/migrations` creates them; a test proves that both agree."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """UTC-aware in Python; on SQLite, which knows no zones, naive UTC in the file."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return UTC-aware."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's own form


class Merchant(Base):
    """A merchant."""

    __tablename__ = "merchants"
    merchant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")


class Terminal(Base):
    """A till: its keys, and what was heard of it last.

    The token columns are a `backoffice.ingest.tokens.TokenBook`.
    """

    __tablename__ = "terminals"
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.merchant_id"))
    device_keys: Mapped[dict[str, Any]] = mapped_column(default=dict)
    token_confirmed: Mapped[str | None] = mapped_column(String(64))
    token_seed: Mapped[str] = mapped_column(String(64), default="", server_default="")
    token_earlier_seed: Mapped[str] = mapped_column(String(64), default="", server_default="")
    boot_id: Mapped[str] = mapped_column(String(64), default="")
    conn_seq: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)
    is_online: Mapped[bool] = mapped_column(default=False)
    is_denied: Mapped[bool] = mapped_column(default=False)
    is_suspect: Mapped[bool] = mapped_column(default=False)
    agent_version: Mapped[str] = mapped_column(String(40), default="")
    last_seen_at: Mapped[datetime | None]


class Person(Base):
    """A human being (I3); may have web accounts and operator numbers."""

    __tablename__ = "persons"
    person_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    is_active: Mapped[bool] = mapped_column(default=True)


class Account(Base):
    """A web login of a person."""

    __tablename__ = "accounts"
    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.person_id"))
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]


class Operator(Base):
    """A till operator number of a person."""

    __tablename__ = "operators"
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.merchant_id"), primary_key=True)
    operator_no: Mapped[str] = mapped_column(String(16), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.person_id"))


class WebSession(Base):
    """A login that is open; the cookie's SHA-256, never the cookie."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(ForeignKey("accounts.login"))
    csrf: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class Sale(Base):
    """A sale. Sums of refunds are computed from `Refund`, never kept here, except what was refunded before import.

    `payer_hash` is a keyed hash of the payer's account or card token (F5), never the account itself.
    """

    __tablename__ = "sales"
    __table_args__ = (UniqueConstraint("merchant_id", "order_no"), Index("ix_sales_trade", "channel_trade_no"))
    sale_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.merchant_id"))
    order_no: Mapped[str] = mapped_column(String(64))
    channel_trade_no: Mapped[str] = mapped_column(String(64), default="")
    order_no_hash: Mapped[str] = mapped_column(String(64), default="", index=True)
    channel: Mapped[str] = mapped_column(String(16))
    acquirer_id: Mapped[str] = mapped_column(String(40))
    account_mask: Mapped[str] = mapped_column(String(40), default="")
    store: Mapped[str] = mapped_column(String(80), default="")
    terminal_id: Mapped[str] = mapped_column(String(40), default="")
    operator_no: Mapped[str] = mapped_column(String(16), default="", server_default="")
    payer_hash: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
    paid_at: Mapped[datetime]
    paid_minor: Mapped[int]
    base_refunded_minor: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="CNY")
    is_coupon_offered: Mapped[bool] = mapped_column(default=False)
    is_training: Mapped[bool] = mapped_column(default=False)
    is_frozen: Mapped[bool] = mapped_column(default=False)
    label: Mapped[str] = mapped_column(String(120), default="")
    lines: Mapped[list[Any]] = mapped_column(default=list)


class Refund(Base):
    """A refund request and where it stands. `version` grows with every change; decisions name the one they saw (D9).

    `asked_at` is when the acquirer was last asked and answered.
    """

    __tablename__ = "refund_requests"
    __table_args__ = (
        Index("ix_refunds_sale", "sale_id"),
        Index("ix_refunds_state", "state", "next_at"),
        Index("ix_refunds_maker", "maker_person_id", "created_at"),
        Index("ix_refunds_terminal", "terminal_id", "terminal_seq"),
    )
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    terminal_id: Mapped[str] = mapped_column(ForeignKey("terminals.terminal_id"))
    merchant_id: Mapped[str] = mapped_column(String(64))
    sale_id: Mapped[str | None] = mapped_column(ForeignKey("sales.sale_id"))
    state: Mapped[str] = mapped_column(String(16))
    hold: Mapped[str | None] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(default=1)
    seq: Mapped[int] = mapped_column(default=0)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    operator_no: Mapped[str] = mapped_column(String(16))
    maker_person_id: Mapped[str] = mapped_column(ForeignKey("persons.person_id"))
    terminal_seq: Mapped[int]
    body: Mapped[dict[str, Any]]
    flags: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    reason_text: Mapped[str | None] = mapped_column(Text)
    question: Mapped[str | None] = mapped_column(Text)
    arrival: Mapped[str | None] = mapped_column(Text)
    closed_as: Mapped[str | None] = mapped_column(String(8))
    refund_no: Mapped[str | None] = mapped_column(String(64), unique=True)
    attempt: Mapped[int] = mapped_column(default=0)
    polls: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    unknown_since: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]


class Message(Base):
    """What a till sent, once each: the key of deduplication is (id, kind, rev) (D5)."""

    __tablename__ = "messages"
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    rev: Mapped[int] = mapped_column(primary_key=True)
    terminal_id: Mapped[str] = mapped_column(String(40))
    content_hash: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    is_applied: Mapped[bool] = mapped_column(default=True)
    received_at: Mapped[datetime]


class Decision(Base):
    """What a person decided, with the version and sums that were on the page."""

    __tablename__ = "decisions"
    decision_id: Mapped[int] = mapped_column(primary_key=True)
    refund_request_id: Mapped[str] = mapped_column(ForeignKey("refund_requests.refund_request_id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.person_id"))
    kind: Mapped[str] = mapped_column(String(16))
    version: Mapped[int]
    sums: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class AuditLine(Base):
    """One edge; each line carries the hash of the line before (I6)."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"),)
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text, default="")
    previous_hash: Mapped[str] = mapped_column(String(64))
    line_hash: Mapped[str] = mapped_column(String(64))


class OutboxRow(Base):
    """The newest state of a request, until its till has acknowledged it (D7)."""

    __tablename__ = "outbox"
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    terminal_id: Mapped[str] = mapped_column(String(40))
    epoch: Mapped[int]
    seq: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[datetime]


class RefusedBytes(Base):
    """What could not be used, kept for engineers (D8); one row per content, counted."""

    __tablename__ = "refused_bytes"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    topic: Mapped[str] = mapped_column(String(200))
    cause: Mapped[str] = mapped_column(String(24))
    detail: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    count: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Attempt(Base):
    """One call of an acquirer, committed before the call; `outcome` stays empty if we died inside it (D11)."""

    __tablename__ = "attempts"
    refund_request_id: Mapped[str] = mapped_column(String(22), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    refund_no: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(24), default="")
    detail: Mapped[str] = mapped_column(Text, default="")


class ManualCase(Base):
    """Something that only two further persons may settle (D10).

    `refund_request_id` is empty for a movement of money that is not ours; `reference` is the acquirer's refund number
    and `amount_minor` its amount where the case came from a bill.
    """

    __tablename__ = "cases"
    case_id: Mapped[int] = mapped_column(primary_key=True)
    refund_request_id: Mapped[str] = mapped_column(String(22), index=True)
    sale_id: Mapped[str | None] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(24))
    detail: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    proposal: Mapped[str | None] = mapped_column(String(8))
    proposal_reason: Mapped[str | None] = mapped_column(Text)
    proposed_by: Mapped[str | None] = mapped_column(String(64))
    closed_by: Mapped[str | None] = mapped_column(String(64))
    closed_at: Mapped[datetime | None]
    reference: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
    amount_minor: Mapped[int | None]


class EventRow(Base):
    """Events of tills and alarms of our own."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_name", "name", "refund_request_id"),)
    event_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    terminal_id: Mapped[str] = mapped_column(String(40), default="", index=True)
    refund_request_id: Mapped[str] = mapped_column(String(22), default="", index=True)
    name: Mapped[str] = mapped_column(String(40))
    is_alarm: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime]


class Lease(Base):
    """Who may execute (D11), watch, and speak for all; `term` rises with each change of the speaker (ADR 0025)."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(24), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]
    term: Mapped[int] = mapped_column(default=0, server_default="0")


class Meta(Base):
    """Single values: ``epoch``, the restore counter."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(24), primary_key=True)
    value: Mapped[str] = mapped_column(String(120))


class Anchor(Base):
    """A head of a till's own audit chain that it once told us (I6): with a request, or when it connected.

    `source` is the request that was committed right after this head, or ``sync``; `line` is 0 where it was not told.
    """

    __tablename__ = "anchors"
    __table_args__ = (Index("ix_anchors_line", "terminal_id", "line"),)
    terminal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    head: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(22), primary_key=True)
    line: Mapped[int] = mapped_column(default=0)
    seq: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
