"""Changes of the list of reasons, what they made of which deal, and in which list a verdict and a loss are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the tables and columns."""
    op.create_table(
        "taxonomy_changes",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("from_version", sa.String(100), nullable=False),
        sa.Column("to_version", sa.String(100), nullable=False),
        sa.Column("walk", sa.JSON(), nullable=False),
        sa.Column("applied_by", sa.String(200), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("place", name="pk_taxonomy_changes"),
        sa.UniqueConstraint("id", name="uq_taxonomy_changes_id"),
    )
    op.create_table(
        "relabelled_losses",
        sa.Column("change_id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("old_reasons", sa.JSON(), nullable=False),
        sa.Column("new_reasons", sa.JSON(), nullable=False),
        sa.Column("open_reasons", sa.JSON(), nullable=False),
        sa.Column("is_asked", sa.Boolean(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("change_id", "deal_id", name="pk_relabelled_losses"),
        sa.ForeignKeyConstraint(
            ["change_id"], ["taxonomy_changes.id"], name="fk_relabelled_losses_change_id_taxonomy_changes"
        ),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_relabelled_losses_deal_id_deals"),
    )
    op.create_index("ix_relabelled_losses_deal_id", "relabelled_losses", ["deal_id"])
    for table in ("verdicts", "losses"):
        op.add_column(table, sa.Column(_COLUMNS[table], sa.String(100)))


def downgrade() -> None:
    """Drops what `upgrade` made."""
    for table, column in _COLUMNS.items():
        op.drop_column(table, column)
    op.drop_table("relabelled_losses")
    op.drop_table("taxonomy_changes")


_COLUMNS = {"verdicts": "taxonomy_version", "losses": "open_version"}
