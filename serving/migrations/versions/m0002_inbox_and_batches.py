"""The inbox of deals that a CRM has told of, and the batches of backfills."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables and gives write-backs their batch."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("crm", sa.String(50), nullable=False),
        _moment("since_at", nullable=True),
        sa.Column("cursor", sa.String(500)),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        _moment("created_at"),
        _moment("undone_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("crm", sa.String(50), nullable=False),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("door", sa.String(30), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(300)),
        sa.Column("batch_id", sa.String(36)),
        _moment("received_at"),
        _moment("due_at"),
        sa.Column("lease", sa.String(36)),
        _moment("leased_until_at", nullable=True),
        _moment("settled_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("crm", "key", name="uq_inbox_crm_key"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_inbox_batch_id_batches"),
    )
    op.create_index("ix_inbox_state_due_at", "inbox", ["state", "due_at"])
    with op.batch_alter_table("write_backs") as table:
        table.add_column(sa.Column("batch_id", sa.String(36)))
        table.create_foreign_key("fk_write_backs_batch_id_batches", "batches", ["batch_id"], ["id"])
        table.create_index("ix_write_backs_batch_id", ["batch_id"])


def downgrade() -> None:
    """Drops what `upgrade` made."""
    with op.batch_alter_table("write_backs") as table:
        table.drop_index("ix_write_backs_batch_id")
        table.drop_constraint("fk_write_backs_batch_id_batches", type_="foreignkey")
        table.drop_column("batch_id")
    op.drop_table("inbox")
    op.drop_table("batches")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
