"""What notices need: channels, episodes that are not over, notices, and their deliveries. And how old a token is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and the tables."""
    time = sa.DateTime(timezone=True)
    op.add_column("accounts", sa.Column("token_since", time))
    op.add_column("datasets", sa.Column("muted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("drift", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "channels",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_fold", sa.Text, nullable=False, unique=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("kinds", sa.Text, nullable=False),
        sa.Column("dataset_ids", sa.Text, nullable=False),
        sa.Column("sealed_address", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
    )
    op.create_table(
        "episodes",
        sa.Column("subject_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("since", time, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("recovered", sa.Boolean, nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("dataset_id", sa.String(64)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(128)),
        sa.Column("since", time, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
    )
    op.create_index("notices_by_time", "notices", ["at"])
    op.create_table(
        "deliveries",
        sa.Column("notice_id", sa.String(64), sa.ForeignKey("notices.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("channel_id", sa.String(64), sa.ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", time),
        sa.Column("sent_at", time),
        sa.Column("given_up_at", time),
        sa.Column("error", sa.Text),
    )
