"""The order of the win-back list, as an index."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the index."""
    op.create_index("ix_losses_revisit_on_lost_on", "losses", ["revisit_on", "lost_on"])


def downgrade() -> None:
    """Drops it."""
    op.drop_index("ix_losses_revisit_on_lost_on", "losses")
