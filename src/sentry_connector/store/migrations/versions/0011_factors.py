"""What the second factor needs, and where a session was begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the tables. Nobody has a second factor yet."""
    op.add_column("sessions", sa.Column("address", sa.Text))
    op.add_column("users", sa.Column("factor_since", sa.DateTime(timezone=True)))
    op.create_table(
        "factors",
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sealed", sa.Text),
        sa.Column("pending", sa.Text),
        sa.Column("used_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    )
