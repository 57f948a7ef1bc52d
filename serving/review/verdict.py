"""The values that a person says hold, and the assessment as it reads with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

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
    Reason,
    Review,
    RivalRole,
    Winback,
    WinbackState,
)
from lossnlp.deal import Frozen
from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import NO_CAUSE, Taxonomy

VerdictKind = Literal["accept", "change", "cannot_tell", "undo"]
JUDGEMENTS: tuple[VerdictKind, ...] = ("accept", "change")  # the kinds that say what holds
_SURE = 1.0


class VerdictError(LossNlpError):
    """Says that a verdict cannot be taken as it is."""

    code = "bad_verdict"


class VerdictLabels(Frozen):
    """What holds of a deal, as a person says.

    Args:
        reasons: Codes, the one that decided first; `unknown` stands alone.
        meddpicc: State by element; one that is not named is not mentioned.
        attribution: Whom the note holds responsible; None without a note.
        insufficient_detail: Whether the note says too little; None without a note.
        rep_buyer_conflict: Whether the note's primary is none of the buyer's reasons; None where one of them is silent.
        stated_reason_conflict: Whether the CRM's stated reason is none of those that hold; None without a stated reason.
        winback: Whether a way back is open.
        revisit_text: The words that say when to come back, as they stand in a document.
        revisit_on: The day they mean.
        competitors: Role by name as written.
        evidence: Spans by label: a reason's code, `meddpicc.<element>`, `winback`, `external_only` or `rep_buyer_conflict`.
    """

    reasons: Annotated[tuple[str, ...], Field(min_length=1)]
    meddpicc: Mapping[str, GapState] = {}
    attribution: Attribution | None = None
    insufficient_detail: bool | None = None
    rep_buyer_conflict: bool | None = None
    stated_reason_conflict: bool | None = None
    winback: WinbackState = "unclear"
    revisit_text: Annotated[str, Field(max_length=500)] | None = None
    revisit_on: date | None = None
    competitors: Mapping[str, RivalRole] = {}
    evidence: Mapping[str, tuple[Evidence, ...]] = {}

    @model_validator(mode="after")
    def _is_one_reading(self) -> VerdictLabels:
        if len(set(self.reasons)) != len(self.reasons):
            raise ValueError("reasons: a code stands twice")
        if NO_CAUSE in self.reasons and len(self.reasons) > 1:
            raise ValueError(f"reasons: '{NO_CAUSE}' stands alone")
        if self.revisit_on is not None and self.winback == "closed":
            raise ValueError("revisit_on: a closed deal has no day to come back")
        return self


def parse_labels(values: object, taxonomy: Taxonomy) -> VerdictLabels:
    """Gives the labels that decoded JSON holds.

    Raises:
        VerdictError: A field is missing or wrong, or a code is none of the taxonomy's; names it.
    """
    try:
        labels = VerdictLabels.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "labels"
        raise VerdictError(f"{field}: {fault['msg'].removeprefix('Value error, ')}.", field=field) from None
    for name, given, known in (
        ("reasons", labels.reasons, taxonomy.codes),
        ("meddpicc", labels.meddpicc, taxonomy.element_codes),
    ):
        for code in set(given) - set(known):
            raise VerdictError(f"{name}: '{code}' is none of {', '.join(known)}.", field=name)
    return labels


def labels_of(assessment: Assessment) -> VerdictLabels:
    """Gives the values of an assessment as labels: what accepting all of it says."""
    flags, winback = assessment.flags, assessment.winback
    return VerdictLabels(
        reasons=tuple(reason.code for reason in assessment.reasons),
        meddpicc={code: found.state for code, found in assessment.meddpicc.items() if found.state != "not_mentioned"},
        attribution=assessment.attribution.value,
        insufficient_detail=flags.insufficient_detail.value,
        rep_buyer_conflict=flags.rep_buyer_conflict.value,
        stated_reason_conflict=flags.stated_reason_conflict.value,
        winback=winback.state,
        revisit_text=winback.revisit_text,
        revisit_on=winback.revisit_on if winback.state != "closed" else None,
        competitors={rival.name: rival.role for rival in assessment.competitors},
        evidence=dict(_quoted(assessment)),
    )


def _quoted(assessment: Assessment) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    quoted = {reason.code: reason.evidence for reason in assessment.reasons}
    quoted |= {f"meddpicc.{code}": found.evidence for code, found in assessment.meddpicc.items()}
    quoted["winback"] = assessment.winback.evidence
    for name in ("external_only", "rep_buyer_conflict"):
        quoted[name] = getattr(assessment.flags, name).evidence
    yield from ((label, evidence) for label, evidence in quoted.items() if evidence)


def judged_assessment(assessment: Assessment, labels: VerdictLabels, taxonomy: Taxonomy) -> Assessment:
    """Gives the assessment with a person's values in place of the model's: all of them sure, nothing left to review."""
    values = {
        "reasons": _reasons(labels, taxonomy),
        "meddpicc": {code: _element(code, labels) for code in assessment.meddpicc},
        "attribution": AttributionReading(
            value=labels.attribution, confidence=None if labels.attribution is None else _SURE
        ),
        "flags": _flags(labels),
        "winback": _winback(labels),
        "competitors": _rivals(assessment, labels),
        "review": Review(required=False),
    }
    return assessment.model_copy(update={**values, "accepted": tuple(_accepted(assessment, labels))})


def _reasons(labels: VerdictLabels, taxonomy: Taxonomy) -> tuple[Reason, ...]:
    known = {reason.code: reason for reason in taxonomy.reasons}  # a code that a newer taxonomy dropped names itself
    return tuple(
        Reason(
            code=code,
            label=known[code].label if code in known else code,
            group=known[code].group if code in known else "",
            primary=rank == 0,
            confidence=_SURE,
            evidence=labels.evidence.get(code, ()),
        )
        for rank, code in enumerate(labels.reasons)
    )


def _element(code: str, labels: VerdictLabels) -> ElementReading:
    state = labels.meddpicc.get(code, "not_mentioned")
    evidence = () if state == "not_mentioned" else labels.evidence.get(f"meddpicc.{code}", ())
    return ElementReading(state=state, confidence=_SURE, evidence=evidence)


def _flags(labels: VerdictLabels) -> Flags:
    external_only = None if labels.attribution is None else labels.attribution == "external_only"
    return Flags(
        external_only=_flag(external_only, labels.evidence.get("external_only", ())),
        insufficient_detail=_flag(labels.insufficient_detail),
        rep_buyer_conflict=_flag(labels.rep_buyer_conflict, labels.evidence.get("rep_buyer_conflict", ())),
        stated_reason_conflict=_flag(labels.stated_reason_conflict),
    )


def _flag(value: bool | None, evidence: tuple[Evidence, ...] = ()) -> Flag:  # noqa: FBT001 (it is the flag's value)
    return Flag(value=value, confidence=None if value is None else _SURE, evidence=evidence if value else ())


def _winback(labels: VerdictLabels) -> Winback:
    return Winback(
        state=labels.winback,
        confidence=_SURE,
        revisit_text=labels.revisit_text,
        revisit_on=labels.revisit_on,
        revisit_confidence=None if labels.revisit_on is None else _SURE,
        evidence=labels.evidence.get("winback", ()),
    )


def _rivals(assessment: Assessment, labels: VerdictLabels) -> tuple[Competitor, ...]:
    """Gives the rivals that hold; one that a person has added points at no place in a document."""
    read = {rival.name: rival for rival in assessment.competitors}
    nowhere = {"document_id": "", "start": 0, "end": 0, "text": ""}
    return tuple(
        read[name].model_copy(update={"role": role, "confidence": _SURE})
        if name in read
        else Competitor(name=name, role=role, confidence=_SURE, **nowhere)
        for name, role in labels.competitors.items()
    )


def _accepted(assessment: Assessment, labels: VerdictLabels) -> Iterator[str]:
    """Gives the names of the values that may be written; that no cause is known is nothing to write."""
    if labels.reasons[0] != NO_CAUSE:
        yield "primary_reason"
    yield from (f"reasons.{code}" for code in labels.reasons[1:])
    yield from (f"meddpicc.{code}" for code in assessment.meddpicc)
    yield from (name for name, flag in _flags(labels) if flag.value is not None)
    yield "winback"
    if labels.revisit_on is not None:
        yield "revisit_on"
    if any(role != "mentioned" for role in labels.competitors.values()):
        yield "competitor"
