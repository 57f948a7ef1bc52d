"""People and their sessions, the queue of reviews, and verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_WITHOUT_VERDICT = {f"{dialect}_where": sa.text("verdict_id IS NULL") for dialect in ("sqlite", "postgresql")}

_QUEUE = [
    *("state", "primary_reason", "uncertainty", "amount", "team", "model_version"),
    *("wanted", "claimed_by_id", "claimed_until_at", "created_at"),
]


def upgrade() -> None:
    """Makes the tables."""
    _create_people()
    _create_sessions()
    _create_saved_filters()
    _create_reviews()
    _create_review_causes()
    _create_verdicts()
    _create_sealed_texts()
    with op.batch_alter_table("assessments") as table:
        table.add_column(sa.Column("words_sha256", sa.String(64)))
    with op.batch_alter_table("write_backs") as table:
        table.add_column(sa.Column("verdict_id", sa.Integer()))
        table.drop_constraint("uq_write_backs_assessment_id", type_="unique")
        table.create_unique_constraint("uq_write_backs_assessment_id_verdict_id", ["assessment_id", "verdict_id"])
        table.create_index("uq_write_backs_own", ["assessment_id"], unique=True, **_WITHOUT_VERDICT)
        table.create_foreign_key("fk_write_backs_verdict_id_verdicts", "verdicts", ["verdict_id"], ["id"])


def downgrade() -> None:
    """Drops what `upgrade` made."""
    op.execute(
        "DELETE FROM write_back_attempts WHERE write_back_id IN (SELECT id FROM write_backs WHERE verdict_id IS NOT NULL)"
    )
    op.execute("DELETE FROM write_backs WHERE verdict_id IS NOT NULL")
    with op.batch_alter_table("write_backs") as table:
        table.drop_constraint("fk_write_backs_verdict_id_verdicts", type_="foreignkey")
        table.drop_index("uq_write_backs_own", **_WITHOUT_VERDICT)
        table.drop_constraint("uq_write_backs_assessment_id_verdict_id", type_="unique")
        table.create_unique_constraint("uq_write_backs_assessment_id", ["assessment_id"])
        table.drop_column("verdict_id")
    with op.batch_alter_table("assessments") as table:
        table.drop_column("words_sha256")
    for name in ("sealed_texts", "verdicts", "review_causes", "reviews", "saved_filters", "sessions", "people"):
        op.drop_table(name)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("teams", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(300)),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("subject", sa.String(500)),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("locked_until_at", nullable=True),
        _moment("created_at"),
        _moment("disabled_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("email", name="uq_people_email"),
        sa.UniqueConstraint("subject", name="uq_people_subject"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("form_token", sa.String(64), nullable=False),
        _moment("created_at"),
        _moment("seen_at"),
        _moment("expires_at"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sessions_person_id_people"),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_sessions"),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])


def _create_saved_filters() -> None:
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("query", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_saved_filters_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("person_id", "name", name="uq_saved_filters_person_id_name"),
    )


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("uncertainty", sa.Double(), nullable=False),
        sa.Column("primary_reason", sa.String(100), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("amount", sa.Double()),
        sa.Column("team", sa.String(300)),
        sa.Column("claimed_by_id", sa.Integer()),
        _moment("claimed_until_at", nullable=True),
        _moment("created_at"),
        _moment("judged_at", nullable=True),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_reviews_assessment_id_assessments"),
        sa.ForeignKeyConstraint(["claimed_by_id"], ["people.id"], name="fk_reviews_claimed_by_id_people"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_reviews_deal_id_deals"),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint("assessment_id", name="uq_reviews_assessment_id"),
    )
    op.create_index("ix_reviews_deal_id", "reviews", ["deal_id"])
    op.create_index("ix_reviews_queue", "reviews", _QUEUE)


def _create_review_causes() -> None:
    op.create_table(
        "review_causes",
        sa.Column("review_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(50), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name="fk_review_causes_review_id_reviews"),
        sa.PrimaryKeyConstraint("review_id", "cause", name="pk_review_causes"),
    )
    op.create_index("ix_review_causes_cause", "review_causes", ["cause"])


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("deal_id", sa.String(200), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("undoes_id", sa.Integer()),
        sa.Column("labels", sa.JSON()),
        sa.Column("comment", sa.String(2000)),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_verdicts_assessment_id_assessments"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name="fk_verdicts_deal_id_deals"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_verdicts_person_id_people"),
        sa.ForeignKeyConstraint(["undoes_id"], ["verdicts.id"], name="fk_verdicts_undoes_id_verdicts"),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.UniqueConstraint("undoes_id", name="uq_verdicts_undoes_id"),
    )
    op.create_index("ix_verdicts_assessment_id", "verdicts", ["assessment_id"])
    op.create_index("ix_verdicts_deal_id_id", "verdicts", ["deal_id", "id"])
    op.create_index("ix_verdicts_person_id", "verdicts", ["person_id"])


def _create_sealed_texts() -> None:
    op.create_table(
        "sealed_texts",
        sa.Column("assessment_id", sa.String(36), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name="fk_sealed_texts_assessment_id_assessments"
        ),
        sa.PrimaryKeyConstraint("assessment_id", name="pk_sealed_texts"),
    )
