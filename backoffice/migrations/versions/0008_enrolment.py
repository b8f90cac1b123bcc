"""Enrolment of tills: invitations, certificates, renewals that wait for a click."""

import sqlalchemy as sa
from alembic import op

from backoffice.store.schema import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invitations",
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_name", sa.String(length=200), nullable=False),
        sa.Column("store_name", sa.String(length=200), nullable=False),
        sa.Column("supervisor", sa.JSON(), nullable=False),
        sa.Column("ends_revocation", sa.Boolean(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("device_key", sa.String(length=64), nullable=False),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=False),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id"),
    )
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=48), nullable=False),
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("csr_hash", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("issued_by", sa.String(length=80), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_index("ix_certificates_terminal", "certificates", ["terminal_id", "not_after"])
    op.create_index("ix_certificates_not_after", "certificates", ["not_after"])
    op.create_table(
        "renewals",
        sa.Column("terminal_id", sa.String(length=40), nullable=False),
        sa.Column("csr_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id"),
    )


def downgrade() -> None:
    """Take back."""
    for name in ("renewals", "certificates", "invitations"):
        op.drop_table(name)
