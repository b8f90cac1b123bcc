"""Tokens of sync pages by confirmation (ADR 0009). The next token of each till is believed once, as after a restore."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OLD = (
    ("token", sa.String(length=64), ""),
    ("token_previous", sa.String(length=64), ""),
    ("sync_boot_id", sa.String(length=64), ""),
    ("sync_conn_seq", sa.Integer(), "0"),
)


def upgrade() -> None:
    """Apply."""
    op.add_column("terminals", sa.Column("token_confirmed", sa.String(length=64), nullable=True))
    for name in ("token_seed", "token_earlier_seed"):
        op.add_column("terminals", sa.Column(name, sa.String(length=64), nullable=False, server_default=""))
    for name, _, _ in _OLD:
        op.drop_column("terminals", name)


def downgrade() -> None:
    """Take back."""
    for name, kind, default in _OLD:
        op.add_column("terminals", sa.Column(name, kind, nullable=False, server_default=default))
    for name in ("token_confirmed", "token_seed", "token_earlier_seed"):
        op.drop_column("terminals", name)
