"""Assessment and its parts: what goes out, exactly as the published contract names it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from lossnlp.deal import Frozen, Role

GapState = Literal["gap", "covered", "not_mentioned"]
Attribution = Literal["external_only", "mixed", "internal_only", "none"]
WinbackState = Literal["open", "closed", "unclear"]
RivalRole = Literal["won", "incumbent", "mentioned"]
Probability = Annotated[float, Field(ge=0, le=1)]


class Span(Frozen):
    """A stretch of a document as it came in.

    Args:
        document_id: The document.
        start: First code point of the stretch in the document's text (in the turn's text where `turn` is given).
        end: Code point after the last one.
        text: Exactly that slice.
        turn: Index of the turn, for documents that came as turns; else None.
    """

    document_id: str
    start: int
    end: int
    text: str
    turn: int | None = None


class Evidence(Span):
    """A quoted stretch, with who said it."""

    speaker: str | None = None
    role: Role | None = None


class Reason(Frozen):
    """One loss reason that applies, with its calibrated probability and its evidence."""

    code: str
    label: str
    group: str
    primary: bool
    confidence: Probability
    evidence: tuple[Evidence, ...] = ()


class ElementReading(Frozen):
    """The state of one MEDDPICC element on this deal."""

    state: GapState
    confidence: Probability
    evidence: tuple[Evidence, ...] = ()


class AttributionReading(Frozen):
    """Whom the rep's note holds responsible; None where the deal has no rep note."""

    value: Attribution | None
    confidence: Probability | None


class Flag(Frozen):
    """A yes-or-no value; None where the question does not arise for this deal."""

    value: bool | None
    confidence: Probability | None = None
    evidence: tuple[Evidence, ...] = ()


class Flags(Frozen):
    """The four flags of an assessment."""

    external_only: Flag
    insufficient_detail: Flag
    rep_buyer_conflict: Flag
    stated_reason_conflict: Flag


class Winback(Frozen):
    """Whether a way back is open, and when to use it."""

    state: WinbackState
    confidence: Probability
    revisit_text: str | None = None
    revisit_on: date | None = None
    revisit_confidence: Probability | None = None
    evidence: tuple[Evidence, ...] = ()


class Competitor(Span):
    """A rival or incumbent vendor or product as written, with its role in the loss."""

    name: str
    role: RivalRole
    confidence: Probability


class Speaker(Frozen):
    """A speaker label of a transcript with the role read for it."""

    document_id: str
    speaker: str
    role: Role
    confidence: Probability


class Review(Frozen):
    """Whether a person should look before the reasons are written, and the causes."""

    required: bool
    because: tuple[str, ...] = ()


class ModelInfo(Frozen):
    """Which model and which taxonomy gave the answer."""

    version: str
    taxonomy_version: str


class Assessment(Frozen):
    """What lossnlp read in one closed-lost deal.

    `reasons` stands primary first and holds exactly one primary; `meddpicc` has all eight elements.
    `accepted` lists the values whose confidence reached their threshold (such as `primary_reason` or `meddpicc.champion`):
    only these may be written back without a person.
    """

    deal_id: str
    reasons: tuple[Reason, ...]
    meddpicc: dict[str, ElementReading]
    attribution: AttributionReading
    flags: Flags
    winback: Winback
    competitors: tuple[Competitor, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    review: Review
    questions: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    model: ModelInfo

    @property
    def primary(self) -> Reason:
        """The reason that decided."""
        return next(reason for reason in self.reasons if reason.primary)
