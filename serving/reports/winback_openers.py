"""Drafts of how to open the talk with a lost buyer: concrete, neutral, one question."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import yaml

from lossnlp.deal import Frozen
from serving.tables import LossRow

Told = Literal["asked", "noted", "window"]


class _Opener(Frozen):
    body: str
    rival_else: str = "another vendor"


class _Openers(Frozen):
    first: dict[Told, str]
    last: str
    reasons: dict[str, _Opener]
    otherwise: _Opener


def draft_opener(loss: LossRow, told: Told) -> str:
    """Gives a draft of the first words.

    Args:
        loss: The lost deal.
        told: Who named the time: the buyer `asked`, somebody `noted` it, or it is our own `window`.
    """
    openers = _read_openers()
    opener = openers.reasons.get(loss.primary_reason, openers.otherwise)
    places = {
        "lost_in": f"{loss.lost_on:%B %Y}",
        "product": loss.product or "the project",
        "rival": loss.rival or opener.rival_else,
    }
    return " ".join(part.format_map(places) for part in (openers.first[told], opener.body, openers.last))


@cache
def _read_openers() -> _Openers:
    text = resources.files("serving.reports").joinpath("winback_openers.yaml").read_text(encoding="utf-8")
    return _Openers.model_validate(yaml.safe_load(text))
