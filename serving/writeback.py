"""What may be written into a CRM: only accepted values, and never over a person's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lossnlp.assessment import Assessment
from serving.crm.protocol import Fields, FieldValue

PRIMARY_REASON = "lossnlp_primary_reason"
CONFIDENCE = "lossnlp_confidence"


def _revisit_day(assessment: Assessment) -> str | None:
    return assessment.winback.revisit_on.isoformat() if assessment.winback.revisit_on else None


def _winning_rival(assessment: Assessment) -> str | None:
    """Gives the vendor that the buyer took instead, or stayed with."""
    rivals = {rival.role: rival.name for rival in reversed(assessment.competitors)}
    return rivals.get("won") or rivals.get("incumbent")


_VALUES: dict[str, tuple[str, Callable[[Assessment], FieldValue]]] = {
    "primary_reason": (PRIMARY_REASON, lambda assessment: assessment.primary.code),
    "external_only": ("lossnlp_external_only", lambda assessment: assessment.flags.external_only.value),
    "rep_buyer_conflict": ("lossnlp_rep_buyer_conflict", lambda assessment: assessment.flags.rep_buyer_conflict.value),
    "winback": ("lossnlp_winback", lambda assessment: assessment.winback.state),
    "revisit_on": ("lossnlp_revisit_on", _revisit_day),
    "competitor": ("lossnlp_rival", _winning_rival),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a deal's fields.

    Args:
        write: Values to send; None empties a field.
        before: What stands in those fields now.
        kept: Values of a person, in fields that are left alone.
    """

    write: Fields
    before: Fields
    kept: Fields


def plan_values(assessment: Assessment, *, assessed_at: datetime) -> Fields:
    """Gives the CRM values that the assessment offers: one for each name in `accepted`; nothing when that is empty.

    With the first value go those that say where it comes from: confidence, model version, time and review state.
    """
    values = _accepted_values(assessment) | _gap_values(assessment)
    contributing = [r.code for r in assessment.reasons if not r.primary and f"reasons.{r.code}" in assessment.accepted]
    if contributing:
        values["lossnlp_contributing_reasons"] = ";".join(contributing)
    if PRIMARY_REASON in values:
        values[CONFIDENCE] = round(assessment.primary.confidence, 4)
    return values | _provenance(assessment, assessed_at) if values else {}


def _accepted_values(assessment: Assessment) -> Fields:
    named = {field: read(assessment) for name, (field, read) in _VALUES.items() if name in assessment.accepted}
    return {field: value for field, value in named.items() if value is not None}


def _gap_values(assessment: Assessment) -> Fields:
    elements = assessment.meddpicc.items()
    return {
        f"lossnlp_gap_{code}": element.state for code, element in elements if f"meddpicc.{code}" in assessment.accepted
    }


def _provenance(assessment: Assessment, assessed_at: datetime) -> Fields:
    return {
        "lossnlp_model_version": assessment.model.version,
        "lossnlp_assessed_at": assessed_at.isoformat(timespec="seconds"),
        "lossnlp_review_state": "waiting" if assessment.review.required else "accepted",
    }


def decide(planned: Fields, *, current: Fields, ours: Mapping[str, list[FieldValue]]) -> Decision:
    """Gives what to write, what to empty and what to leave.

    A field is written only when it is empty or still holds what we wrote last. Anything else is a person's and stays; a
    person's primary reason also keeps our confidence out, which would read as a verdict on theirs. A value of ours that
    the assessment no longer offers is emptied: it would stand under the provenance of an answer that does not hold it.

    Args:
        planned: The values that the assessment offers.
        current: What stands in the CRM now.
        ours: For each field the values that we may have left there.
    """
    stands = {field: _find_value(current, field) for field in (*planned, *ours)}
    free = {field for field, there in stands.items() if there is None or there in ours.get(field, [])}
    kept = {field: stands[field] for field, value in planned.items() if field not in free and stands[field] != value}
    withheld = {*kept, CONFIDENCE} if PRIMARY_REASON in kept else set(kept)
    offered = {field: value for field, value in planned.items() if field not in withheld}
    write = {field: offered.get(field) for field in stands if field in free and stands[field] != offered.get(field)}
    return Decision(write=write, before={field: stands[field] for field in write}, kept=kept)


def _find_value(fields: Fields, name: str) -> FieldValue:
    """Gives what stands in a field, None when it is empty; some CRMs call an empty field ''."""
    value = fields.get(name)
    return None if value == "" else value


def decide_undo(after: Fields, *, before: Fields, current: Fields) -> Decision:
    """Gives what to put back: every field that still holds what we sent; what a person changed since stays."""
    write = {field: before.get(field) for field, value in after.items() if _find_value(current, field) == value}
    kept = {field: current.get(field) for field in after if field not in write}
    return Decision(write=write, before={field: after[field] for field in write}, kept=kept)
