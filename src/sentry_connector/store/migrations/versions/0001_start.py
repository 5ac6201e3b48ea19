"""Accounts, DataSets, runs, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_fold", sa.Text, nullable=False, unique=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("token_hint", sa.Text, nullable=False),
        sa.Column("sealed_token", sa.Text, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("checked_at", time),
        sa.Column("message", sa.Text),
        sa.Column("scopes", sa.Text),
        sa.Column("identity", sa.Text),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_fold", sa.Text, nullable=False),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("account_id", sa.String(64)),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("update_method", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("keep_days", sa.Integer),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("retry", sa.Text),
        sa.Column("keep_when_empty", sa.Boolean, nullable=False),
        sa.Column("accept_loss", sa.Boolean, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("deleted_at", time),
    )
    live = sa.text("deleted_at IS NULL")
    op.create_index("datasets_name", "datasets", ["name_fold"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("dataset_id", sa.String(64), sa.ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("slot", time),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(32)),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("part", sa.Text),
        sa.Column("windows", sa.Text, nullable=False),
        sa.Column("queued_at", time, nullable=False),
        sa.Column("started_at", time),
        sa.Column("finished_at", time),
        sa.Column("rows_read", sa.BigInteger, nullable=False),
        sa.Column("rows_written", sa.BigInteger, nullable=False),
        sa.Column("rows_updated", sa.BigInteger, nullable=False),
        sa.Column("rows_deleted", sa.BigInteger, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("waited_seconds", sa.Float, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("table_version", sa.BigInteger),
        sa.Column("warnings", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("incomplete", sa.Text, nullable=False),
    )
    op.create_index("runs_by_dataset", "runs", ["dataset_id", "queued_at"])
    op.create_index("runs_by_state", "runs", ["state"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("acquired_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
