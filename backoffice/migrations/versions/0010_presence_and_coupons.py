"""The term of a lease (ADR 0025); coupons, and the rows that lock their budgets."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("leases", sa.Column("term", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "coupon_budgets",
        sa.Column("merchant_id", sa.String(length=64), sa.ForeignKey("merchants.merchant_id"), primary_key=True),
        sa.Column("month", sa.String(length=7), primary_key=True),
    )
    op.create_table(
        "coupons",
        sa.Column("coupon_id", sa.String(length=22), primary_key=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=True, unique=True),
        sa.Column("code_tail", sa.String(length=4), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), sa.ForeignKey("merchants.merchant_id"), nullable=False),
        sa.Column("store", sa.String(length=80), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("refund_request_id", sa.String(length=22), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("redeemed_at", UtcDateTime(), nullable=True),
        sa.Column("redeemed_by", sa.String(length=80), nullable=False),
        sa.Column("redeemed_ref", sa.String(length=64), nullable=False),
    )
    op.create_index("ix_coupons_budget", "coupons", ["merchant_id", "month", "kind"])
    op.create_index("ix_coupons_issued", "coupons", ["issued_at"])
    op.create_index("ix_coupons_redeemed", "coupons", ["redeemed_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("coupons")
    op.drop_table("coupon_budgets")
    op.drop_column("leases", "term")
