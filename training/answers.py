"""Answers: what a simpler peer says of a deal, in the shape of an assessment, so that one evaluation measures all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lossnlp.assessment import (
    Assessment,
    Attribution,
    AttributionReading,
    Competitor,
    ElementReading,
    Evidence,
    Flag,
    Flags,
    GapState,
    ModelInfo,
    Reason,
    Review,
    Winback,
    WinbackState,
)
from lossnlp.deal import Deal
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import Taxonomy

_WAITS = Review(required=True, because=("primary_reason_uncertain",))


@dataclass(frozen=True)
class Answer:
    """What a peer says; what it cannot say stays at the value most deals have.

    Args:
        primary: Code of the primary reason.
        confidence: Of the primary reason, 0 to 1.
        reasons: Codes that apply, in any order; the primary one is added.
        states: State of MEDDPICC elements; those left out are not mentioned.
        attribution: Whom the note holds responsible, or None without a note.
        insufficient_detail: Whether a manager could not act on the note.
        winback: Whether a way back is open.
        revisit: The come-back phrase, or None.
        competitors: Rivals with their roles.
        rep_buyer_conflict: Whether rep and buyer disagree, or None where the question does not arise.
        evidence: Quotes of reasons, by code.
    """

    primary: str
    confidence: float
    reasons: Sequence[str] = ()
    states: Mapping[str, GapState] = field(default_factory=dict)
    attribution: Attribution | None = None
    insufficient_detail: bool = False
    winback: WinbackState = "unclear"
    revisit: Evidence | None = None
    competitors: tuple[Competitor, ...] = ()
    rep_buyer_conflict: bool | None = None
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)


class Peer(Protocol):
    """Something that answers deals and can be measured beside lossnlp."""

    name: str

    def answer(self, deal: Deal) -> Answer:
        """Gives the peer's answer to a deal."""


def as_assessment(deal: Deal, answer: Answer, *, peer: str, taxonomy: Taxonomy) -> Assessment:
    """Gives an answer in the shape of an assessment; nothing in it is accepted without a person.

    Args:
        deal: The deal that was answered.
        answer: What the peer said.
        peer: Its name.
        taxonomy: The labels it uses.
    """
    codes = dict.fromkeys((answer.primary, *answer.reasons))
    certain = answer.confidence
    stated = stated_codes(deal.stated_reason, taxonomy)
    winback = Winback(state=answer.winback, confidence=certain)
    if answer.revisit is not None:
        found = {"revisit_text": answer.revisit.text, "revisit_confidence": certain, "evidence": (answer.revisit,)}
        winback = winback.model_copy(update=found)
    return Assessment(
        deal_id=deal.id,
        reasons=tuple(_reason(code, answer, taxonomy) for code in codes),
        meddpicc={
            code: ElementReading(state=answer.states.get(code, "not_mentioned"), confidence=certain)
            for code in taxonomy.element_codes
        },
        attribution=AttributionReading(value=answer.attribution, confidence=certain if answer.attribution else None),
        flags=Flags(
            external_only=_flag(answer.attribution and answer.attribution == "external_only", certain),
            insufficient_detail=_flag(answer.insufficient_detail, certain),
            rep_buyer_conflict=_flag(answer.rep_buyer_conflict, certain),
            stated_reason_conflict=_flag(not set(stated) & set(codes) if stated else None, certain),
        ),
        winback=winback,
        competitors=answer.competitors,
        review=_WAITS,
        model=ModelInfo(version=peer, taxonomy_version=taxonomy.version),
    )


def _reason(code: str, answer: Answer, taxonomy: Taxonomy) -> Reason:
    known = taxonomy.get_reason(code)
    return Reason(
        code=code,
        label=known.label,
        group=known.group,
        primary=code == answer.primary,
        confidence=answer.confidence,
        evidence=answer.evidence.get(code, ()),
    )


def _flag(value: object, confidence: float) -> Flag:
    return Flag(value=None) if value is None else Flag(value=bool(value), confidence=confidence)
