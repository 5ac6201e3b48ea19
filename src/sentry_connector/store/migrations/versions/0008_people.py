"""What a server for several people needs: people, sessions, API keys, grants, allowed origins, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_SQLITE = (
    "CREATE TRIGGER audit_{what} BEFORE {what} ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
)
_POSTGRESQL = (
    """CREATE FUNCTION audit_{what}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
    "CREATE TRIGGER audit_{what} BEFORE {what} ON audit FOR EACH ROW EXECUTE FUNCTION audit_{what}()",
)


def upgrade() -> None:
    """Add the tables. The owner of a DataSet, which nobody could set, is a grant from now on."""
    time = sa.DateTime(timezone=True)
    op.drop_column("datasets", "owner")
    op.create_table(
        "users",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_fold", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("signed_in_at", time),
    )
    op.create_index("users_by_subject", "users", ["issuer", "subject"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("used_at", time, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("rights", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("used_at", time),
    )
    op.create_table(
        "grants",
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("thing", sa.String(32), primary_key=True),
        sa.Column("object_id", sa.String(64), primary_key=True),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("granted_at", time, nullable=False),
    )
    op.create_index("grants_by_object", "grants", ["thing", "object_id"])
    op.create_table(
        "origins",
        sa.Column("origin", sa.String(512), primary_key=True),
        sa.Column("added_at", time, nullable=False),
    )
    _add_audit(time)


def _add_audit(time: sa.DateTime) -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", time, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.execute(f"INSERT INTO audit_head (number, digest) VALUES (0, '{'0' * 64}')")
    statements = _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for what in ("UPDATE", "DELETE"):
        for statement in statements:
            op.execute(statement.format(what=what))
