"""Which model was chosen, which served when, and how a challenger reads beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the tables."""
    _create_model_choices()
    _create_model_services()
    _create_shadow_readings()
    _create_shadow_differences()


def downgrade() -> None:
    """Drops what `upgrade` made."""
    for name in ("shadow_differences", "shadow_readings", "model_services", "model_choices"):
        op.drop_table(name)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_model_choices() -> None:
    op.create_table(
        "model_choices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(500), nullable=False),
        sa.Column("reference", sa.String(500), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("chosen_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_model_choices"),
    )
    op.create_index("ix_model_choices_source", "model_choices", ["source"])


def _create_model_services() -> None:
    op.create_table(
        "model_services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("process", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("reference", sa.String(500), nullable=False),
        sa.Column("model_version", sa.String(100)),
        sa.Column("refused", sa.String(300)),
        _moment("began_at"),
        _moment("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_model_services"),
    )
    op.create_index("ix_model_services_model_version", "model_services", ["model_version"])
    op.create_index("ix_model_services_began_at", "model_services", ["began_at"])


def _create_shadow_readings() -> None:
    op.create_table(
        "shadow_readings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("champion", sa.String(100), nullable=False),
        sa.Column("challenger", sa.String(100), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_readings"),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name="fk_shadow_readings_assessment_id_assessments"
        ),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_shadow_readings_deal_id_deals"),
        sa.UniqueConstraint("assessment_id", "challenger", name="uq_shadow_readings_assessment_id_challenger"),
    )
    op.create_index("ix_shadow_readings_challenger", "shadow_readings", ["challenger"])


def _create_shadow_differences() -> None:
    op.create_table(
        "shadow_differences",
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(100), nullable=False),
        sa.Column("champion_value", sa.String(500), nullable=False),
        sa.Column("challenger_value", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("reading_id", "field", name="pk_shadow_differences"),
        sa.ForeignKeyConstraint(
            ["reading_id"], ["shadow_readings.id"], name="fk_shadow_differences_reading_id_shadow_readings"
        ),
    )
