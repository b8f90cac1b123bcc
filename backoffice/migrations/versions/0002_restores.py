"""Restores: what is asked again after the database went back to an older copy."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "restores",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("from_epoch", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("finished_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("epoch"),
    )
    op.create_table(
        "restore_tills",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "terminal_id"),
    )
    op.create_table(
        "restore_checks",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("refund_request_id", sa.String(length=22), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "refund_request_id"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("restore_checks")
    op.drop_table("restore_tills")
    op.drop_table("restores")
