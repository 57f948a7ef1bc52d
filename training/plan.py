"""The plan of a run: how many passes and how many replayed deals fit into the minutes that were given, measured on first steps.

It is kept beside the resumable state, so that a run that goes on after a stop does what it set out to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lossnlp.deal import Frozen
from training.config import TrainConfig
from training.examples import Example

FILE = "plan.json"
REPLAYED_PER_OWN = 3
_LEARNING_SHARE = 0.6


class Plan(Frozen):
    """What a run does.

    Args:
        key: Hash of what it was made for.
        epochs: Passes.
        replayed: Deals of the corpus learned beside own ones.
        said: What was chosen and why, in a sentence.
    """

    key: str
    epochs: int
    replayed: int
    said: str


class Budget(Frozen):
    """What a plan has to fit into.

    Args:
        minutes: For the whole run, or None for as long as it takes; three fifths of them are for learning, the rest for reading,
            export, calibration and measuring.
        replay: Corpus deals to replay, or None for three for each own deal.
        spent_s: Seconds that the run has taken already.
    """

    minutes: float | None = None
    replay: int | None = None
    spent_s: float = 0.0


def plan_key(config: TrainConfig, digest: str, budget: Budget) -> str:
    """Gives a hash of what a plan has to agree with: settings, deals and what was asked for."""
    parts = (config.model_dump_json(), digest, str(budget.minutes), str(budget.replay))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find_plan(folder: Path, key: str) -> Plan | None:
    """Gives the plan that a folder keeps for the same run, or None."""
    try:
        plan = Plan.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return plan if plan.key == key else None


def keep_plan(folder: Path, plan: Plan) -> None:
    """Writes a plan so that it is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    part.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(folder / FILE)


def most_replayed(own: int, available: int, budget: Budget, *, each: int = REPLAYED_PER_OWN) -> int:
    """Gives how many deals of the corpus are replayed where time allows: what the budget says, else so many for each own deal."""
    return min(available, each * own if budget.replay is None else budget.replay)


def make_plan(
    own: Sequence[Example], replay: Sequence[Example], *, config: TrainConfig, budget: Budget, token_s: float
) -> Plan:
    """Gives the plan with the most passes and replayed deals that fit.

    Fewer deals are replayed first, down to one for each own deal; then there are fewer passes; then none is replayed.

    Args:
        own: Deals to learn from in any case.
        replay: Those of the corpus that may stand beside them, in the order in which they are taken.
        config: `epochs` is the most.
        budget: What it has to fit into; `key` of the plan is left empty.
        token_s: Seconds that a token of a step takes; not used where no minutes are given.
    """
    wanted = most_replayed(len(own), len(replay), budget)
    if budget.minutes is None:
        return Plan(key="", epochs=config.epochs, replayed=wanted, said=_said(config.epochs, len(own), wanted))
    room = budget.minutes * 60 * _LEARNING_SHARE - budget.spent_s
    sizes = [example.n_tokens for example in replay[:wanted]]
    always = sum(example.n_tokens for example in own)
    for epochs in range(config.epochs, 0, -1):
        tokens = room / max(token_s * epochs, 1e-9) - always
        fits = _fitting(sizes, tokens)
        if tokens >= 0 and (fits >= min(wanted, len(own)) or epochs == 1):
            return Plan(
                key="",
                epochs=epochs,
                replayed=fits,
                said=_said(epochs, len(own), fits) + _about(budget, always + sum(sizes[:fits]), epochs * token_s),
            )
    about = _about(budget, always, token_s) + "; it will take longer than was asked for"
    return Plan(key="", epochs=1, replayed=0, said=_said(1, len(own), 0) + about)


def _fitting(sizes: Sequence[int], tokens: float) -> int:
    """Gives how many of the first deals fit into a number of tokens."""
    taken = 0
    for place, size in enumerate(sizes):
        taken += size
        if taken > tokens:
            return place
    return len(sizes)


def _said(epochs: int, own: int, replayed: int) -> str:
    beside = f" and {replayed} of the corpus" if replayed else ""
    return f"{epochs} passes over {own} deals{beside}"


def _about(budget: Budget, tokens: int, token_s: float) -> str:
    return f", about {tokens * token_s / 60:.1f} of {budget.minutes:g} minutes for learning"
