"""Who sold and who paid, as far as rules need it; when an acquirer was last asked; indexes of watch and anchors."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sales", sa.Column("operator_no", sa.String(length=16), server_default="", nullable=False))
    op.add_column("sales", sa.Column("payer_hash", sa.String(length=64), server_default="", nullable=False))
    op.create_index("ix_sales_payer_hash", "sales", ["payer_hash"])
    op.add_column("refund_requests", sa.Column("asked_at", UtcDateTime(), nullable=True))
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_events_name", "events", ["name", "refund_request_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_events_name", "events")
    op.drop_index("ix_audit_at", "audit")
    op.drop_column("refund_requests", "asked_at")
    op.drop_index("ix_sales_payer_hash", "sales")
    op.drop_column("sales", "payer_hash")
    op.drop_column("sales", "operator_no")
