"""The first tables: keys, deals, assessments, write-backs and their attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    _create_api_keys()
    _create_deals()
    _create_assessments()
    _create_write_backs()
    _create_write_back_attempts()


def downgrade() -> None:
    """Drops the tables."""
    for table in ("write_back_attempts", "write_backs", "assessments", "deals", "api_keys"):
        op.drop_table(table)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        _moment("created_at"),
        _moment("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_sha256", name="uq_api_keys_key_sha256"),
    )


def _create_deals() -> None:
    op.create_table(
        "deals",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("closed_on", sa.Date()),
        sa.Column("stated_reason", sa.String(300)),
        sa.Column("stage", sa.String(300)),
        sa.Column("amount", sa.Double()),
        sa.Column("currency", sa.String(8)),
        sa.Column("owner", sa.String(300)),
        sa.Column("account", sa.String(300)),
        sa.Column("segment", sa.String(300)),
        _moment("received_at"),
        sa.PrimaryKeyConstraint("id", name="pk_deals"),
    )


def _create_assessments() -> None:
    unique = ("deal_id", "content_sha256", "model_version")
    op.create_table(
        "assessments",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("primary_reason", sa.String(100), nullable=False),
        sa.Column("review_required", sa.Boolean(), nullable=False),
        sa.Column("assessment", sa.JSON(), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_assessments_deal_id_deals"),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
        sa.UniqueConstraint(*unique, name="uq_assessments_deal_id_content_sha256_model_version"),
    )
    op.create_index("ix_assessments_created_at", "assessments", ["created_at"])


def _create_write_backs() -> None:
    op.create_table(
        "write_backs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("crm", sa.String(50), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("planned", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        _moment("due_at"),
        sa.Column("lease", sa.String(36)),
        _moment("leased_until_at", nullable=True),
        _moment("created_at"),
        _moment("settled_at", nullable=True),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_write_backs_assessment_id_assessments"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_write_backs_deal_id_deals"),
        sa.PrimaryKeyConstraint("id", name="pk_write_backs"),
        sa.UniqueConstraint("assessment_id", name="uq_write_backs_assessment_id"),
    )
    op.create_index("ix_write_backs_state_due_at", "write_backs", ["state", "due_at"])
    op.create_index("ix_write_backs_deal_id_state", "write_backs", ["deal_id", "state"])


def _create_write_back_attempts() -> None:
    link = "fk_write_back_attempts_write_back_id_write_backs"
    op.create_table(
        "write_back_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("write_back_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("error", sa.String(300)),
        _moment("started_at"),
        _moment("finished_at", nullable=True),
        sa.ForeignKeyConstraint(["write_back_id"], ["write_backs.id"], name=link),
        sa.PrimaryKeyConstraint("id", name="pk_write_back_attempts"),
    )
    op.create_index("ix_write_back_attempts_write_back_id", "write_back_attempts", ["write_back_id"])
