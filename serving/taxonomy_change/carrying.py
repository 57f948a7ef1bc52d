"""Assessments and verdicts as they read in a newer list of reasons; what is stored of them never changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment, Evidence, Reason
from lossnlp.taxonomy import Taxonomy
from serving.review.verdict import VerdictError, VerdictLabels
from serving.store import get_assessment
from serving.tables import VerdictRow
from serving.taxonomy_change.walks import Carried, carry, find_steps

_BESIDE = "reasons."


@dataclass(frozen=True, slots=True)
class CarriedReading:
    """An assessment in the list of the model in service.

    Args:
        assessment: With its codes carried over; an open one stands as it was and is not accepted.
        open: For each open code those that it may be now.
    """

    assessment: Assessment
    open: Mapping[str, tuple[str, ...]]


def carry_assessment(session: Session, assessment: Assessment, taxonomy: Taxonomy) -> CarriedReading:
    """Gives an assessment in a list of reasons; as it is where no changes lead there.

    Args:
        session: An open session.
        assessment: As it was read, or with the values of a verdict.
        taxonomy: The list.
    """
    steps = find_steps(session, assessment.model.taxonomy_version, until=taxonomy.version)
    if not steps:
        return CarriedReading(assessment, {})
    carried = carry((reason.code for reason in assessment.reasons), steps)
    model = assessment.model.model_copy(update={"taxonomy_version": taxonomy.version})
    reasons, accepted = tuple(_reasons(assessment, carried, taxonomy)), tuple(_accepted(assessment, carried))
    values = {"model": model, "reasons": reasons, "accepted": accepted}
    return CarriedReading(assessment.model_copy(update=values), carried.open)


def _reasons(assessment: Assessment, carried: Carried, taxonomy: Taxonomy) -> Iterator[Reason]:
    known = {reason.code: reason for reason in taxonomy.reasons}
    for place, code in enumerate(carried.codes):
        first, *others = [reason for reason in assessment.reasons if carried.way[reason.code] == code]
        told = known.get(code) if code not in carried.open else None
        values = {
            "code": code,
            "label": told.label if told else first.label,
            "group": told.group if told else first.group,
            "primary": place == 0,
            "confidence": max(reason.confidence for reason in (first, *others)),
            "evidence": tuple(span for reason in (first, *others) for span in reason.evidence),
        }
        yield first.model_copy(update=values)


def _accepted(assessment: Assessment, carried: Carried) -> Iterator[str]:
    """Gives the names that are accepted still: none of an open code, and of a merged one once."""
    primary = carried.codes[0]
    for name in dict.fromkeys(_renamed(name, carried) for name in assessment.accepted):
        code = primary if name == "primary_reason" else name.removeprefix(_BESIDE)
        if code not in carried.open and name != f"{_BESIDE}{primary}":
            yield name


def _renamed(name: str, carried: Carried) -> str:
    code = name.removeprefix(_BESIDE)
    return f"{_BESIDE}{carried.way.get(code, code)}" if name.startswith(_BESIDE) else name


def require_settled(carried: CarriedReading, taxonomy: Taxonomy) -> None:
    """Passes where every reason of an assessment stands in the list as it is now.

    Raises:
        VerdictError: One does not; names those that it may be.
    """
    if not carried.open:
        return
    code, heirs = next(iter(carried.open.items()))
    known = {reason.code: reason.label for reason in taxonomy.reasons}
    label = next(reason.label for reason in carried.assessment.reasons if reason.code == code)
    now = " or ".join(f"'{known.get(heir, heir)}'" for heir in heirs)
    became = f"is {now} now" if now else "is in it no more"
    message = f"The list of reasons has changed, and '{label}' {became}: choose what holds and save the changes."
    raise VerdictError(message, field="primary")


def carry_labels(
    session: Session, labels: VerdictLabels, version: str, *, until: str | None = None
) -> tuple[VerdictLabels, Carried]:
    """Gives what a verdict says in a newer list, and what of it is open.

    Args:
        session: An open session.
        labels: The verdict's.
        version: The list that its reasons are of.
        until: The list to end with; None is the newest.
    """
    carried = carry(labels.reasons, find_steps(session, version, until=until))
    evidence: dict[str, tuple[Evidence, ...]] = {}
    for label, spans in labels.evidence.items():
        now = carried.way.get(label, label)
        evidence[now] = (*evidence.get(now, ()), *spans)
    return labels.model_copy(update={"reasons": carried.codes, "evidence": evidence}), carried


def version_of(session: Session, verdict: VerdictRow) -> str:
    """Gives the version of the list that a verdict's reasons are of."""
    if verdict.taxonomy_version is not None:
        return verdict.taxonomy_version
    return str(get_assessment(session, verdict.assessment_id).assessment["model"]["taxonomy_version"])
