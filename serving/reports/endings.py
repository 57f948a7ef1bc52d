"""How a deal ended: somebody else won it, it was lost without one, or it died. The one place that says which is which.

A lost deal has a buyer who decided against us: offer, price or rival can be worked on. A dead deal ended without a winner: nobody
decided, or there was nothing to decide. Both in one figure would hide either, as a team that qualifies badly and a team that is
outsold need different things.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, and_, case, exists

from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS
from serving.tables import LossRivalRow, LossRow

Ending = Literal["competitive", "other_loss", "no_decision", "other_dead", "unclear"]

LABELS: dict[Ending, str] = {
    "competitive": "Lost to somebody else",
    "other_loss": "Lost, nobody else known",
    "no_decision": "Dead: no decision",
    "other_dead": "Dead: other ends without a winner",
    "unclear": "Not known",
}
LOST: tuple[Ending, ...] = ("competitive", "other_loss")
DEAD: tuple[Ending, ...] = ("no_decision", "other_dead")

_ELSEWHERE = ("competitor", "existing_relationship", "in_house")  # the buyer took or kept another way
_NO_DECISION = "no_decision"
_NO_WINNER = ("unresponsive", "timing", "unqualified", NOT_A_LOSS)  # silent, later, never real, no loss in the market


def ending_of_loss() -> ColumnElement[str]:
    """Gives the column that says how a loss ended, one of `LABELS`.

    A rival that won makes any reason a competitive loss. An incumbent alone does not: a buyer who does nothing mostly keeps what
    they have, and where they stayed for its sake the reason says so.
    """
    has_winner = exists().where(LossRivalRow.deal_id == LossRow.deal_id, LossRivalRow.role == "won")
    return case(
        (LossRow.primary_reason.in_(_ELSEWHERE), "competitive"),
        (and_(LossRow.rival.is_not(None), has_winner), "competitive"),
        (LossRow.primary_reason == _NO_DECISION, "no_decision"),
        (LossRow.primary_reason.in_(_NO_WINNER), "other_dead"),
        (LossRow.primary_reason == NO_CAUSE, "unclear"),
        else_="other_loss",
    )
