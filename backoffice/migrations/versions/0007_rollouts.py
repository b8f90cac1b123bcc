"""Signed configuration: rollouts, documents, and what tills report about them (D16, D17)."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "config_rollouts",
        sa.Column("rollout", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("pushed_at", UtcDateTime(), nullable=False),
        sa.Column("pushed_by", sa.String(length=64), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("rollout"),
    )
    op.create_table(
        "config_documents",
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("rollout", sa.String(length=40), nullable=False),
        sa.Column("is_undo", sa.Boolean(), nullable=False),
        sa.Column("cohort", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(length=64), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rollout"], ["config_rollouts.rollout"]),
        sa.PrimaryKeyConstraint("terminal_id", "version"),
    )
    op.create_index("ix_config_documents_rollout", "config_documents", ["rollout", "is_undo", "cohort"])
    op.create_index("ix_config_documents_etag", "config_documents", ["terminal_id", "etag"])
    op.create_index("ix_config_documents_waiting", "config_documents", ["is_waiting"])
    op.create_table(
        "config_reports",
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("running_version", sa.BigInteger(), nullable=False),
        sa.Column("running_etag", sa.String(length=64), nullable=False),
        sa.Column("attempted_version", sa.BigInteger(), nullable=False),
        sa.Column("attempted_etag", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("agent", sa.String(length=40), nullable=False),
        sa.Column("book_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("earlier_books", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=True),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id"),
    )


def downgrade() -> None:
    """Take back."""
    for name in ("config_reports", "config_documents", "config_rollouts"):
        op.drop_table(name)
