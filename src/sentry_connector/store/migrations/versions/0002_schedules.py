"""What schedules need: attempts and retries of runs, slots that are accounted for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the table."""
    time = sa.DateTime(timezone=True)
    op.add_column("datasets", sa.Column("catch_up", sa.String(32), nullable=False, server_default="one"))
    op.add_column("datasets", sa.Column("slots_until", time))
    op.add_column("runs", sa.Column("requests_refused", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("attempts", sa.Text, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("not_before", time))
    op.add_column("runs", sa.Column("cancel_asked_at", time))
    op.add_column("runs", sa.Column("progress", sa.Text))
    op.create_table(
        "slots",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("dataset_id", sa.String(64), sa.ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
        sa.Column("first", time, nullable=False),
        sa.Column("last", time, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(128)),
        sa.Column("merged", sa.Boolean, nullable=False),
    )
    op.create_index("slots_by_dataset", "slots", ["dataset_id", "number"])
