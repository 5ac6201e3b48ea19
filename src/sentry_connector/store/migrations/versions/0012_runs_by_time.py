"""The list of all runs, newest first, without a look at each of them."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the index."""
    op.create_index("runs_by_time", "runs", ["queued_at", "id"])
