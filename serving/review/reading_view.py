"""What a model read in a deal as a page shows it: each value with how sure it is, from where on it needs no person, and its quotes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lossnlp.assessment import Assessment
from lossnlp.calibration import Calibration
from lossnlp.taxonomy import Taxonomy
from serving.review.meanings import QUESTIONS


@runtime_checkable
class Calibrated(Protocol):
    """An assessor that tells its thresholds; values of one that does not are shown without them."""

    @property
    def calibration(self) -> Calibration:
        """The thresholds in use."""


def find_calibration(assessor: object, model_version: str) -> Calibration | None:
    """Gives the thresholds that an assessment was held against, None where the loaded model is another or tells none."""
    is_same = getattr(assessor, "model_version", None) == model_version
    return assessor.calibration if is_same and isinstance(assessor, Calibrated) else None


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure the model is of a value, and from where on it needs no person.

    Args:
        confidence: 0 to 1; None where the question does not arise.
        threshold: 0 to 1; None where a value of this kind always needs a person, or nothing is known of it.
        is_known: Whether the thresholds of the model are at hand.
    """

    confidence: float | None
    threshold: float | None = None
    is_known: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether the value needs no person."""
        return self.confidence is not None and self.threshold is not None and self.confidence >= self.threshold


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that show a label; `anchor` is where they stand in the page, None where the text is not there."""

    text: str
    speaker: str | None = None
    role: str | None = None
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A value that was read.

    Args:
        id: As spans and marked evidence name it.
        title: As people read it.
        sure: How sure the model is.
        quotes: What shows it.
    """

    id: str
    title: str
    sure: Sureness
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read in a deal.

    Args:
        reasons: Primary first.
        meddpicc: By element.
        flags: Attribution and flags, by the name of the question.
        winback: Whether a way is open.
        revisit: How sure the day to come back is.
        rivals: Those that are named, by name.
    """

    reasons: tuple[Label, ...]
    meddpicc: Mapping[str, Label]
    flags: Mapping[str, Label]
    winback: Label
    revisit: Sureness
    rivals: Mapping[str, Label]

    @property
    def titles(self) -> dict[str, str]:
        """What people call each label, by its id."""
        every = (*self.reasons, *self.meddpicc.values(), *self.flags.values(), self.winback, *self.rivals.values())
        return {label.id: label.title for label in every}


def rival_id(place: int) -> str:
    """Gives the label id of a rival by its place among those that were read."""
    return f"rival.{place}"


def read_labels(
    assessment: Assessment,
    *,
    taxonomy: Taxonomy,
    calibration: Calibration | None,
    quotes: Mapping[str, tuple[Quote, ...]],
) -> Reading:
    """Gives the values of an assessment.

    Args:
        assessment: What the model read.
        taxonomy: The labels there are.
        calibration: The thresholds it was held against; None where they are not at hand.
        quotes: What shows each label, by its id.
    """
    maker = _Maker(assessment, taxonomy, calibration, quotes)
    return Reading(
        reasons=tuple(maker.reasons()),
        meddpicc=dict(maker.elements()),
        flags=dict(maker.flags()),
        winback=maker.label(
            "winback", "Way back", f"winback.{assessment.winback.state}", confidence=assessment.winback.confidence
        ),
        revisit=maker.sure("revisit_on", assessment.winback.revisit_confidence),
        rivals=dict(maker.rivals()),
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the labels of one assessment; the keys of the thresholds are those of `lossnlp.decisions`."""

    assessment: Assessment
    taxonomy: Taxonomy
    calibration: Calibration | None
    quotes: Mapping[str, tuple[Quote, ...]]

    def sure(self, key: str, confidence: float | None) -> Sureness:
        if self.calibration is None:
            return Sureness(confidence)
        return Sureness(confidence, self.calibration.accept.get(key), is_known=True)

    def label(self, name: str, title: str, key: str, *, confidence: float | None) -> Label:
        return Label(name, title, self.sure(key, confidence), self.quotes.get(name, ()))

    def reasons(self) -> Iterator[Label]:
        titles = {reason.code: reason.label for reason in self.taxonomy.reasons}
        for reason in self.assessment.reasons:
            key = f"{'primary_reason' if reason.primary else 'reasons'}.{reason.code}"
            title = titles.get(reason.code, reason.label)
            yield self.label(reason.code, title, key, confidence=reason.confidence)

    def elements(self) -> Iterator[tuple[str, Label]]:
        titles = {element.code: element.label for element in self.taxonomy.elements}
        for code, found in self.assessment.meddpicc.items():
            name, key = f"meddpicc.{code}", f"meddpicc.{found.state}.{code}"
            yield code, self.label(name, titles.get(code, code), key, confidence=found.confidence)

    def flags(self) -> Iterator[tuple[str, Label]]:
        for question in QUESTIONS:
            name = "external_only" if question.name == "attribution" else question.name
            flag = getattr(self.assessment.flags, name)
            key = f"{name}.{'yes' if flag.value else 'no'}"
            yield question.name, self.label(name, question.label, key, confidence=flag.confidence)

    def rivals(self) -> Iterator[tuple[str, Label]]:
        for place, rival in enumerate(self.assessment.competitors):
            title = f"Rival {rival.name}"
            yield rival.name, self.label(rival_id(place), title, "competitor", confidence=rival.confidence)
