"""How far the poller has come with each CRM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "polls",
        sa.Column("crm", sa.String(50), nullable=False),
        _moment("since_at"),
        _moment("started_at"),
        sa.Column("cursor", sa.String(500)),
        _moment("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("crm", name="pk_polls"),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("polls")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
