"""What may be written into a CRM: only accepted values, and never over a person's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lossnlp.assessment import Assessment, Span
from serving.crm.fields import GAP, FieldMap
from serving.crm.protocol import Fields, FieldValue
from serving.crm.rules import CONFIDENCE, EVERYTHING, EVIDENCE, PRIMARY_REASON, REVIEW_STATE, WriteRules

EVIDENCE_CHARS = 255
Holder = Literal["this answer", "an older answer", "others"]


def _revisit_day(assessment: Assessment) -> str | None:
    return assessment.winback.revisit_on.isoformat() if assessment.winback.revisit_on else None


def find_winner(assessment: Assessment) -> str | None:
    """Gives the vendor that the buyer took instead, or stayed with."""
    rivals = {rival.role: rival.name for rival in reversed(assessment.competitors)}
    return rivals.get("won") or rivals.get("incumbent")


_VALUES: dict[str, tuple[str, Callable[[Assessment], FieldValue]]] = {
    "primary_reason": (PRIMARY_REASON, lambda assessment: assessment.primary.code),
    "external_only": ("lossnlp_external_only", lambda assessment: assessment.flags.external_only.value),
    "rep_buyer_conflict": ("lossnlp_rep_buyer_conflict", lambda assessment: assessment.flags.rep_buyer_conflict.value),
    "winback": ("lossnlp_winback", lambda assessment: assessment.winback.state),
    "revisit_on": ("lossnlp_revisit_on", _revisit_day),
    "competitor": ("lossnlp_rival", find_winner),
}


_SHOWN: dict[str, Callable[[Assessment], tuple[Span, ...]]] = {
    PRIMARY_REASON: lambda assessment: assessment.primary.evidence,
    CONFIDENCE: lambda assessment: assessment.primary.evidence,
    "lossnlp_external_only": lambda assessment: assessment.flags.external_only.evidence,
    "lossnlp_rep_buyer_conflict": lambda assessment: assessment.flags.rep_buyer_conflict.evidence,
    "lossnlp_winback": lambda assessment: assessment.winback.evidence,
    "lossnlp_revisit_on": lambda assessment: assessment.winback.evidence,
    "lossnlp_rival": lambda assessment: assessment.competitors,
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


def plan_values(assessment: Assessment, *, assessed_at: datetime, is_confirmed: bool = False) -> Fields:
    """Gives the CRM values that the assessment offers: one for each name in `accepted`; nothing when that is empty.

    With the first value go those that say where it comes from: confidence and evidence, model version, time and review state.

    Args:
        assessment: The model's, or as a person has judged it.
        assessed_at: When the model read the deal.
        is_confirmed: Whether a person has judged it.
    """
    values = _accepted_values(assessment) | _gap_values(assessment)
    contributing = [r.code for r in assessment.reasons if not r.primary and f"reasons.{r.code}" in assessment.accepted]
    if contributing:
        values["lossnlp_contributing_reasons"] = ";".join(contributing)
    if PRIMARY_REASON in values:
        values |= _grounds(assessment)
    if not values:
        return {}
    state = "confirmed" if is_confirmed else "waiting" if assessment.review.required else "accepted"
    return values | _provenance(assessment, assessed_at) | {REVIEW_STATE: state}


def evidence_of(assessment: Assessment, name: str, fields: FieldMap) -> str:
    """Gives the words of the deal that show the value of a field of the CRM; empty where nothing was quoted."""
    shown = _shown_by(assessment, fields.our_name(name) or "")
    return " … ".join(dict.fromkeys(span.text for span in shown))


def _shown_by(assessment: Assessment, field: str) -> tuple[Span, ...]:
    element = field.removeprefix(GAP)
    if field.startswith(GAP) and element in assessment.meddpicc:
        return assessment.meddpicc[element].evidence
    if field == "lossnlp_contributing_reasons":
        return tuple(span for reason in assessment.reasons if not reason.primary for span in reason.evidence)
    return _SHOWN[field](assessment) if field in _SHOWN else ()


def _accepted_values(assessment: Assessment) -> Fields:
    named = {field: read(assessment) for name, (field, read) in _VALUES.items() if name in assessment.accepted}
    return {field: value for field, value in named.items() if value is not None}


def _grounds(assessment: Assessment) -> Fields:
    """Gives what the primary reason rests on: how sure it is, and where it is said."""
    primary = assessment.primary
    quote = primary.evidence[0].text[:EVIDENCE_CHARS].strip() if primary.evidence else None
    return {CONFIDENCE: round(primary.confidence, 4), **({EVIDENCE: quote} if quote else {})}


def _gap_values(assessment: Assessment) -> Fields:
    elements = assessment.meddpicc.items()
    return {f"{GAP}{code}": element.state for code, element in elements if f"meddpicc.{code}" in assessment.accepted}


def _provenance(assessment: Assessment, assessed_at: datetime) -> Fields:
    return {
        "lossnlp_model_version": assessment.model.version,
        "lossnlp_assessed_at": assessed_at.isoformat(timespec="seconds"),
    }


def decide(
    planned: Fields, *, current: Fields, ours: Mapping[str, list[FieldValue]], rules: WriteRules | None = None
) -> Decision:
    """Gives what to write, what to empty and what to leave; all names and values are the CRM's.

    What a person has set always stays. By the policy of a field, a value of ours stays too (`if_empty`), or gives way to a newer
    one and is emptied where the assessment no longer offers one (`if_ours`): it would stand under the provenance of an answer
    that does not hold it. A field that speaks of another, as confidence does of the primary reason, is written only beside a
    value of ours: next to a person's it would read as a verdict on theirs.

    Args:
        planned: The values that the assessment offers.
        current: What stands in the CRM now.
        ours: For each field the values that we may have left there.
        rules: Policies and kinds of the fields; None takes those of an installation that has set none.
    """
    deal = _Deal(planned, current, ours, rules or WriteRules())
    values = [field for field in deal.fields if deal.rules.speaks_of(field) is None]
    write = {field: planned.get(field) for field in values if deal.is_to_change(field, planned.get(field))}
    write |= _follow(deal, {field: deal.holder(field, write) for field in values})
    kept = {field: deal.stands(field) for field in planned if deal.is_persons(field)}
    return Decision(write=write, before={field: deal.stands(field) for field in write}, kept=kept)


def _follow(deal: _Deal, holders: Mapping[str, Holder]) -> Fields:
    """Gives the fields to set that speak of others: as this assessment says beside a value of its own, empty beside none of ours."""
    write: Fields = {}
    for field in deal.fields:
        leader = deal.rules.speaks_of(field)
        if leader is None:
            continue
        beside = set(holders.values()) if leader == EVERYTHING else {holders.get(leader, "others")}
        wanted = deal.planned.get(field) if "this answer" in beside else None
        is_silent = wanted is None and "an older answer" in beside
        if not is_silent and deal.is_to_change(field, wanted):
            write[field] = wanted
    return write


@dataclass(frozen=True, slots=True)
class _Deal:
    """One deal's fields: what is offered, what stands, what may be ours."""

    planned: Fields
    current: Fields
    ours: Mapping[str, list[FieldValue]]
    rules: WriteRules

    @property
    def fields(self) -> list[str]:
        return list(dict.fromkeys((*self.planned, *self.ours)))

    def stands(self, field: str) -> FieldValue:
        return _find_value(self.current, field)

    def is_ours(self, field: str) -> bool:
        return any(self.rules.is_same(field, self.stands(field), left) for left in self.ours.get(field, []))

    def is_persons(self, field: str) -> bool:
        there = self.stands(field)
        is_other = there is not None and not self.rules.is_same(field, there, self.planned.get(field))
        return is_other and not self.is_ours(field) and self.rules.policy(field) != "never"

    def is_to_change(self, field: str, wanted: FieldValue) -> bool:
        """Says whether the field may be set to `wanted` and does not hold it yet."""
        there, policy = self.stands(field), self.rules.policy(field)
        if policy == "never" or self.rules.is_same(field, there, wanted):
            return False
        return there is None or (policy == "if_ours" and self.is_ours(field))

    def holder(self, field: str, write: Fields) -> Holder:
        """Gives whose value will stand in a field after `write`."""
        after, offered = write.get(field, self.stands(field)), self.planned.get(field)
        if after is None or not (field in write or self.is_ours(field)):
            return "others"
        return "this answer" if self.rules.is_same(field, after, offered) else "an older answer"


def _find_value(fields: Fields, name: str) -> FieldValue:
    """Gives what stands in a field, None when it is empty; some CRMs call an empty field ''."""
    value = fields.get(name)
    return None if value == "" else value


def decide_undo(after: Fields, *, before: Fields, current: Fields, rules: WriteRules | None = None) -> Decision:
    """Gives what to put back: every field that still holds what we sent; what a person changed since stays.

    Args:
        after: What was sent; None where a field was emptied.
        before: What it replaced.
        current: What stands in the CRM now.
        rules: Kinds of the fields; None takes those of an installation that has set none.
    """
    known = rules or WriteRules()
    stands = {field: _find_value(current, field) for field in after}
    # A box that a CRM shows as empty when it is not ticked still holds the False that was sent
    write = {
        field: before.get(field)
        for field, value in after.items()
        if known.is_same(field, stands[field], value) or (value is False and stands[field] is None)
    }
    kept = {
        field: stands[field]
        for field in after
        if field not in write and not known.is_same(field, stands[field], before.get(field))
    }
    return Decision(write=write, before={field: stands[field] for field in write}, kept=kept)
