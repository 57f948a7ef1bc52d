"""Coaching questions: what is worth asking about a lost deal, gaps first, then what its texts leave open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

import yaml

from lossnlp.assessment import ElementReading, Reason
from lossnlp.deal import Frozen
from lossnlp.taxonomy import NOT_A_LOSS, Taxonomy


class _Stage(Frozen):
    """How words begin that tell a stage by its name, and the elements that count most there."""

    words: tuple[str, ...]
    elements: tuple[str, ...]


class _Subject(Frozen):
    """The elements that say most about a loss reason, and what else to ask about it."""

    elements: tuple[str, ...]
    questions: tuple[str, ...]


class _Guide(Frozen):
    stages: dict[str, _Stage]
    reasons: dict[str, _Subject]
    insufficient: str


def coaching_questions(
    taxonomy: Taxonomy,
    meddpicc: Mapping[str, ElementReading],
    reasons: Sequence[Reason],
    *,
    stage: str | None = None,
    is_insufficient: bool = False,
    most: int = 4,
) -> tuple[str, ...]:
    """Gives short, neutral questions for what is missing or open on a deal, the most useful first.

    Gaps come before elements that no text mentions; an element in hand is never asked about. Within both, those come first that
    relate to the primary reason and that count at the stage at loss. The primary reason's own question follows the gaps.

    Args:
        taxonomy: Gives each element's question.
        meddpicc: State of each element; a missing one counts as not mentioned.
        reasons: Loss reasons of the deal.
        stage: Sales stage at loss in the CRM's words, or None.
        is_insufficient: Whether the texts say too little to act on; then the first question asks what happened.
        most: Most questions to give, 0 or more.

    Returns:
        Questions without repeats; none for a deal that was closed for administrative reasons.
    """
    primary = next((reason.code for reason in reasons if reason.primary), None)
    if primary == NOT_A_LOSS:
        return ()
    questions = _questions(taxonomy, meddpicc, primary=primary, stage=stage)
    opening = [_guide().insufficient] if is_insufficient else []
    return tuple(dict.fromkeys([*opening, *questions]))[:most]


def _questions(
    taxonomy: Taxonomy, meddpicc: Mapping[str, ElementReading], *, primary: str | None, stage: str | None
) -> Iterator[str]:
    """Gives every question that applies: gaps, the reason's own, then what is not mentioned."""
    subject = _guide().reasons.get(primary or "")
    worth = _worth(subject.elements if subject else (), _stage_elements(stage))
    elements = sorted(taxonomy.elements, key=lambda element: -worth[element.code])
    states = {element.code: reading.state for element in elements if (reading := meddpicc.get(element.code))}
    yield from (element.question for element in elements if states.get(element.code) == "gap")
    yield from subject.questions if subject else ()
    yield from (
        element.question for element in elements if states.get(element.code, "not_mentioned") == "not_mentioned"
    )


def _worth(of_reason: Sequence[str], of_stage: Sequence[str]) -> Counter[str]:
    """Gives how much each element counts: by its rank for the reason, twice, and by its rank at the stage."""
    worth: Counter[str] = Counter()
    for codes, factor in ((of_reason, 2), (of_stage, 1)):
        worth.update({code: factor * (len(codes) - rank) for rank, code in enumerate(codes)})
    return worth


def find_stage_group(stage: str | None) -> str | None:
    """Gives whether a stage is `early`, `middle` or `late`, as far as its name in the CRM's words tells; None where it does not."""
    name = (stage or "").casefold()
    groups = _guide().stages.items()
    return next((code for code, group in groups if re.search(rf"\b(?:{'|'.join(group.words)})", name)), None)


def _stage_elements(stage: str | None) -> tuple[str, ...]:
    """Gives the elements that count most at a stage, as far as its name tells."""
    group = find_stage_group(stage)
    return () if group is None else _guide().stages[group].elements


@cache
def _guide() -> _Guide:
    text = resources.files("lossnlp").joinpath("questions.yaml").read_text(encoding="utf-8")
    return _Guide.model_validate(yaml.safe_load(text))
