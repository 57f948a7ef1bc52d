"""Figures of each deal's words, and the weekly looks at whether they have changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "deal_figures",
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("content_words", sa.Integer(), nullable=False),
        sa.Column("unknown_share", sa.Double()),
        sa.Column("sources", sa.String(100), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("sketch", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name="fk_deal_figures_assessment_id_assessments"
        ),
        sa.PrimaryKeyConstraint("assessment_id", name="pk_deal_figures"),
    )
    op.create_table(
        "drift_looks",
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("newest_on", sa.Date(), nullable=False),
        sa.Column("reference_on", sa.Date(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.String(100)),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("sampled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("week_on", name="pk_drift_looks"),
    )


def downgrade() -> None:
    """Drops what `upgrade` made."""
    op.drop_table("drift_looks")
    op.drop_table("deal_figures")
