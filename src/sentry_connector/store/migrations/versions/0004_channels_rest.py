"""A channel that does not take a notice rests as a whole. And an account that is gone is told of once, not for each DataSet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Move the rest from the deliveries to the channels; episodes of an account are told anew, as the account's own."""
    time = sa.DateTime(timezone=True)
    op.add_column("channels", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("channels", sa.Column("rests_until", time))
    op.drop_column("deliveries", "not_before")
    op.execute("DELETE FROM episodes WHERE kind = 'account missing'")
