"""What reports count, interviews, and what the win-back list has to remember."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_DEAL_FIELDS = ("team", "region", "product")


def upgrade() -> None:
    """Makes the tables."""
    _create_losses()
    _create_loss_reasons()
    _create_loss_elements()
    _create_loss_rivals()
    _create_interviews()
    _create_story_consents()
    _create_reopened_deals()
    _create_winback_notices()
    with op.batch_alter_table("deals") as table:
        for name in _DEAL_FIELDS:
            table.add_column(sa.Column(name, sa.String(300)))


def downgrade() -> None:
    """Drops what `upgrade` made."""
    with op.batch_alter_table("deals") as table:
        for name in _DEAL_FIELDS:
            table.drop_column(name)
    for name in (
        "winback_notices",
        "reopened_deals",
        "story_consents",
        "interviews",
        "loss_rivals",
        "loss_elements",
        "loss_reasons",
        "losses",
    ):
        op.drop_table(name)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_losses() -> None:
    op.create_table(
        "losses",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("verdict_id", sa.Integer()),
        sa.Column("lost_on", sa.Date(), nullable=False),
        sa.Column("primary_reason", sa.String(100), nullable=False),
        sa.Column("read_reason", sa.String(100), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("stated_reason", sa.String(300)),
        sa.Column("attribution", sa.String(20)),
        sa.Column("external_only", sa.Boolean()),
        sa.Column("insufficient_detail", sa.Boolean()),
        sa.Column("rep_buyer_conflict", sa.Boolean()),
        sa.Column("stated_reason_conflict", sa.Boolean()),
        sa.Column("winback", sa.String(20), nullable=False),
        sa.Column("revisit_text", sa.String(500)),
        sa.Column("revisit_on", sa.Date()),
        sa.Column("rival", sa.String(300)),
        sa.Column("stage", sa.String(300)),
        sa.Column("amount", sa.Double()),
        sa.Column("currency", sa.String(8)),
        sa.Column("owner", sa.String(300)),
        sa.Column("account", sa.String(300)),
        sa.Column("segment", sa.String(300)),
        sa.Column("team", sa.String(300)),
        sa.Column("region", sa.String(300)),
        sa.Column("product", sa.String(300)),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_losses_assessment_id_assessments"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_losses_deal_id_deals"),
        sa.ForeignKeyConstraint(["verdict_id"], ["verdicts.id"], name="fk_losses_verdict_id_verdicts"),
        sa.PrimaryKeyConstraint("deal_id", name="pk_losses"),
    )
    op.create_index("ix_losses_lost_on", "losses", ["lost_on"])
    op.create_index(
        "ix_losses_counted", "losses", ["lost_on", "primary_reason", "currency", "amount", "rival", "deal_id"]
    )
    op.create_index("ix_losses_lost_on_team", "losses", ["lost_on", "team"])


def _create_loss_reasons() -> None:
    op.create_table(
        "loss_reasons",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["deal_id"], ["losses.deal_id"], name="fk_loss_reasons_deal_id_losses"),
        sa.PrimaryKeyConstraint("deal_id", "code", name="pk_loss_reasons"),
    )
    op.create_index("ix_loss_reasons_code", "loss_reasons", ["code"])


def _create_loss_elements() -> None:
    op.create_table(
        "loss_elements",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("element", sa.String(100), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["deal_id"], ["losses.deal_id"], name="fk_loss_elements_deal_id_losses"),
        sa.PrimaryKeyConstraint("deal_id", "element", name="pk_loss_elements"),
    )
    op.create_index("ix_loss_elements_element", "loss_elements", ["element"])


def _create_loss_rivals() -> None:
    op.create_table(
        "loss_rivals",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["deal_id"], ["losses.deal_id"], name="fk_loss_rivals_deal_id_losses"),
        sa.PrimaryKeyConstraint("deal_id", "name", name="pk_loss_rivals"),
    )


def _create_interviews() -> None:
    op.create_table(
        "interviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(36)),
        sa.Column("question_set", sa.String(20), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("held_on", sa.Date()),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_interviews_assessment_id_assessments"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_interviews_deal_id_deals"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_interviews_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_interviews"),
    )
    op.create_index("ix_interviews_deal_id", "interviews", ["deal_id"])


def _create_story_consents() -> None:
    op.create_table(
        "story_consents",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        _moment("given_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_story_consents_deal_id_deals"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_story_consents_person_id_people"),
        sa.PrimaryKeyConstraint("deal_id", name="pk_story_consents"),
    )


def _create_reopened_deals() -> None:
    op.create_table(
        "reopened_deals",
        sa.Column("deal_id", sa.String(200), nullable=False),
        _moment("reopened_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_reopened_deals_deal_id_deals"),
        sa.PrimaryKeyConstraint("deal_id", name="pk_reopened_deals"),
    )


def _create_winback_notices() -> None:
    op.create_table(
        "winback_notices",
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        _moment("sent_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_winback_notices_deal_id_deals"),
        sa.PrimaryKeyConstraint("deal_id", "due_on", "channel", name="pk_winback_notices"),
    )
