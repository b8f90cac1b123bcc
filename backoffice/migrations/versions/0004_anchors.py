"""Heads of the tills' audit chains."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "anchors",
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=22), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", "head", "source"),
    )
    op.create_index("ix_anchors_line", "anchors", ["terminal_id", "line"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_anchors_line", "anchors")
    op.drop_table("anchors")
