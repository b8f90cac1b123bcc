"""Cases that come from a bill: the acquirer's number and amount."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("cases", sa.Column("reference", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("cases", sa.Column("amount_minor", sa.Integer(), nullable=True))
    op.create_index("ix_cases_reference", "cases", ["reference"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_cases_reference", "cases")
    op.drop_column("cases", "amount_minor")
    op.drop_column("cases", "reference")
