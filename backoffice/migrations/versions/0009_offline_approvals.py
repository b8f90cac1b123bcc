"""Approvals by QR code, given before their request was here (ADR 0024)."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0009"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "offline_approvals",
        sa.Column("refund_request_id", sa.String(length=22), nullable=False),
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("sale", sa.String(length=128), nullable=False),
        sa.Column("operator_no", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("sums", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["persons.person_id"]),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"]),
        sa.PrimaryKeyConstraint("refund_request_id"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("offline_approvals")
