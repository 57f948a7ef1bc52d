"""Scopes and ends of API keys, and the audit log, which can only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_REFUSED = "the audit log can only grow"
_ALL_SCOPES = ["classify", "read", "write-back", "admin"]


def upgrade() -> None:
    """Makes columns and table; keys that there are may do all that they could before."""
    for column in ("expires_at", "last_used_at"):
        op.add_column("api_keys", sa.Column(column, sa.DateTime(timezone=True)))
    op.add_column("api_keys", sa.Column("scopes", sa.JSON()))
    op.execute(sa.update(sa.table("api_keys", sa.column("scopes", sa.JSON()))).values(scopes=_ALL_SCOPES))
    with op.batch_alter_table("api_keys") as table:
        table.alter_column("scopes", existing_type=sa.JSON(), nullable=False)
    op.create_table(
        "audit_log",
        sa.Column("sequence", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(150), nullable=False),
        sa.Column("act", sa.String(30), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    _refuse_changes()


def downgrade() -> None:
    """Drops what `upgrade` made."""
    op.drop_table("audit_log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_refuse()")
    for column in ("scopes", "expires_at", "last_used_at"):
        op.drop_column("api_keys", column)


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_log_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
        )
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_refuse_{act.lower()} BEFORE {act} ON audit_log "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
