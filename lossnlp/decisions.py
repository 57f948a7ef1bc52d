"""Decisions: from logits to calibrated values, and which of them may be written without a person. This lives here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lossnlp.assessment import (
    AttributionReading,
    Competitor,
    ElementReading,
    Evidence,
    Flag,
    Flags,
    GapState,
    Reason,
    Review,
    Winback,
)
from lossnlp.calibration import Calibration
from lossnlp.heads import ATTRIBUTIONS, WINBACKS, Array, Layout
from lossnlp.quotes import QuoteCutter
from lossnlp.reading import View
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS, Taxonomy

OBSTACLES = frozenset({"no_words", "foreign_script", "foreign_language"})
_CONFLICTS = ("rep_buyer_conflict", "stated_reason_conflict")


@dataclass(frozen=True)
class CauseProbabilities:
    """Calibrated probabilities of the causes in one view.

    Args:
        primary: Of each reason being the primary one, shape (reasons,), summing to 1.
        applies: Of each reason applying, shape (reasons,).
    """

    primary: Array
    applies: Array


class Decisions:
    """Turns views into values for one bundle.

    Args:
        taxonomy: The bundle's labels.
        calibration: What was fitted on held-out deals.
    """

    def __init__(self, taxonomy: Taxonomy, calibration: Calibration) -> None:
        self.layout = Layout(taxonomy.codes, taxonomy.element_codes)
        self.calibration = calibration
        self._taxonomy = taxonomy
        self._slots = {name: place for place, (name, _) in enumerate(self.layout.slots)}

    def causes(self, view: View) -> CauseProbabilities:
        """Gives the calibrated probabilities of the causes in a view."""
        outputs, logits = self.layout.outputs, view.reading.logits
        return CauseProbabilities(
            primary=self.calibration.primary_in(view.kind).probability(logits[outputs["primary"]]),
            applies=self.calibration.curve("reasons").probability(logits[outputs["reasons"]]),
        )

    def applying(self, causes: CauseProbabilities) -> list[str]:
        """Gives the codes that apply in a view, primary first, then the likeliest; "unknown" stands alone."""
        codes = self.layout.reasons
        first = codes[int(causes.primary.argmax())]
        if first == NO_CAUSE:
            return [first]
        others = [
            (float(probability), code)
            for code, probability in zip(codes, causes.applies, strict=True)
            if code not in (first, NO_CAUSE) and probability >= self.calibration.cut(f"reasons.{code}")
        ]
        return [first, *(code for _, code in sorted(others, key=lambda pair: (-pair[0], pair[1])))]

    def reasons(self, view: View, quotes: QuoteCutter) -> tuple[Reason, ...]:
        """Gives the reasons of a deal with confidence and evidence, primary first."""
        causes = self.causes(view)
        found = []
        for rank, code in enumerate(self.applying(causes)):
            place = self.layout.reasons.index(code)
            reason = self._taxonomy.get_reason(code)
            found.append(
                Reason(
                    code=code,
                    label=reason.label,
                    group=reason.group,
                    primary=rank == 0,
                    confidence=_rounded((causes.applies if rank else causes.primary)[place]),
                    evidence=() if code == NO_CAUSE else self._quotes(code, view, quotes),
                )
            )
        return tuple(found)

    def meddpicc(self, view: View, quotes: QuoteCutter) -> dict[str, ElementReading]:
        """Gives the state of each element with confidence, and evidence where it is mentioned."""
        outputs, logits = self.layout.outputs, view.reading.logits
        gaps = self.calibration.curve("gap").probability(logits[outputs["gap"]])
        covers = self.calibration.curve("covered").probability(logits[outputs["covered"]])
        found = {}
        for code, gap, covered in zip(self.layout.elements, gaps, covers, strict=True):
            state, confidence = self._state(code, float(gap), float(covered))
            evidence = () if state == "not_mentioned" else self._quotes(f"{state}.{code}", view, quotes)
            found[code] = ElementReading(state=state, confidence=_rounded(confidence), evidence=evidence)
        return found

    def _state(self, code: str, gap: float, covered: float) -> tuple[GapState, float]:
        """Gives state and confidence; where both are shown, a gap counts."""
        if gap >= self.calibration.cut(f"gap.{code}"):
            return "gap", gap
        if covered >= self.calibration.cut(f"covered.{code}"):
            return "covered", covered * (1 - gap)
        return "not_mentioned", (1 - gap) * (1 - covered)

    def attribution(self, note: View | None) -> AttributionReading:
        """Gives whom the note holds responsible; empty without a note."""
        if note is None:
            return AttributionReading(value=None, confidence=None)
        logits = note.reading.logits[self.layout.outputs["attribution"]]
        probability = self.calibration.attribution.probability(logits)
        best = int(probability.argmax())
        return AttributionReading(value=ATTRIBUTIONS[best], confidence=_rounded(probability[best]))

    def external_only(self, note: View | None, quotes: QuoteCutter) -> Flag:
        """Gives whether the note blames only outside factors, with what it blames as evidence."""
        if note is None:
            return Flag(value=None)
        logits = note.reading.logits[self.layout.outputs["attribution"]]
        probability = self.calibration.attribution.probability(logits)
        value = int(probability.argmax()) == 0
        confidence = float(probability[0]) if value else 1 - float(probability[0])
        primary = self.applying(self.causes(note))[0]
        evidence = self._quotes(primary, note, quotes)[:1] if value and primary != NO_CAUSE else ()
        return Flag(value=value, confidence=_rounded(confidence), evidence=evidence)

    def insufficient_detail(self, note: View | None) -> Flag:
        """Gives whether a manager could not act on the note."""
        if note is None:
            return Flag(value=False, confidence=None)
        logit = note.reading.logits[self.layout.outputs["insufficient_detail"]][0]
        probability = self.calibration.curve("insufficient_detail").of_one(float(logit))
        value = probability >= self.calibration.cut("insufficient_detail")
        return Flag(value=value, confidence=_rounded(probability if value else 1 - probability))

    def conflict(self, note: View | None, buyer: View | None, quotes: QuoteCutter) -> Flag:
        """Gives whether the note's primary reason is missing among the reasons the buyer gives.

        A buyer who gives no cause contradicts nobody.
        """
        if note is None or buyer is None or not buyer.has_buyer:
            return Flag(value=None)
        probability = self.conflict_probability(note, buyer)
        value = probability >= self.calibration.cut("rep_buyer_conflict")
        evidence: tuple[Evidence, ...] = ()
        if value:
            pairs = ((view, self.applying(self.causes(view))[0]) for view in (note, buyer))
            evidence = tuple(
                quote for view, code in pairs if code != NO_CAUSE for quote in self._quotes(code, view, quotes)[:1]
            )
        return Flag(value=value, confidence=_rounded(probability if value else 1 - probability), evidence=evidence)

    def conflict_probability(self, note: View, buyer: View) -> float:
        """Gives the calibrated probability that rep and buyer disagree."""
        return self.calibration.curve("rep_buyer_conflict").of_one(self.conflict_logit(note, buyer))

    def conflict_logit(self, note: View, buyer: View) -> float:
        """Gives the log odds that rep and buyer disagree: the note's primary weighed with its absence in the buyer's words."""
        said, heard = self.causes(note), self.causes(buyer)
        silent = self.layout.reasons.index(NO_CAUSE)
        absent = 1 - np.maximum(heard.applies, heard.primary)
        both_speak = (1 - float(heard.primary[silent])) * (1 - float(said.primary[silent]))
        odds = float((said.primary * absent).sum()) * both_speak
        return float(np.log(max(odds, 1e-6) / max(1 - odds, 1e-6)))

    def winback(self, view: View) -> Winback:
        """Gives whether the text leaves a way back; the caller adds the moment."""
        probability = self.calibration.winback.probability(view.reading.logits[self.layout.outputs["winback"]])
        best = int(probability.argmax())
        return Winback(state=WINBACKS[best], confidence=_rounded(probability[best]))

    def stated_reason_conflict(self, view: View, stated: Sequence[str]) -> Flag:
        """Gives whether none of the reasons that the CRM's words stand for applies.

        Args:
            view: The whole deal.
            stated: Codes that the stated reason stands for; empty where it is missing or means nothing known.
        """
        if not stated:
            return Flag(value=None)
        causes = self.causes(view)
        places = [self.layout.reasons.index(code) for code in stated]
        agrees = float(np.maximum(causes.applies, causes.primary)[places].max())
        value = not set(stated) & set(self.applying(causes))
        return Flag(value=value, confidence=_rounded(1 - agrees if value else agrees))

    def _quotes(self, name: str, view: View, quotes: QuoteCutter) -> tuple[Evidence, ...]:
        slot = self._slots[name]
        return quotes.cut(slot, view.members, view.reading.weights[:, slot])


@dataclass(frozen=True)
class Findings:
    """All values of one deal, before it is decided which of them may be written."""

    reasons: tuple[Reason, ...]
    meddpicc: Mapping[str, ElementReading]
    flags: Flags
    winback: Winback
    competitors: tuple[Competitor, ...]


def review_of(findings: Findings, calibration: Calibration, *, obstacle: str | None) -> Review:
    """Gives whether a person should look before the reasons are written, and the causes.

    Args:
        findings: The deal's values.
        calibration: The thresholds.
        obstacle: Why the text cannot be trusted to be understood, or None.
    """
    because = [obstacle] if obstacle else []
    primary = findings.reasons[0]
    if primary.code == NO_CAUSE:
        because.append("no_cause_found")
    elif not calibration.accepts(f"primary_reason.{primary.code}", primary.confidence):
        because.append("primary_reason_uncertain")
    if primary.code != NOT_A_LOSS:
        because += [name for name in _CONFLICTS if getattr(findings.flags, name).value]
    return Review(required=bool(because), because=tuple(because))


def accepted_values(findings: Findings, calibration: Calibration, review: Review) -> tuple[str, ...]:
    """Gives the names of the values that may be written without a person, in a fixed order.

    A value needs a confidence that reaches its threshold. Reasons also wait while anything about them is to be reviewed; where the
    text itself cannot be trusted to be understood, everything waits.
    """
    if set(review.because) & OBSTACLES:
        return ()
    offered = (*_offered_reasons(findings, review), *_offered_profile(findings), *_offered_rest(findings))
    return tuple(name for name, key, confidence in offered if calibration.accepts(key, confidence))


_Offer = tuple[str, str, float]


def _offered_reasons(findings: Findings, review: Review) -> Iterator[_Offer]:
    """Gives name, threshold key and confidence of the reasons; none while a person should look."""
    if not review.required:
        primary, *others = findings.reasons
        yield "primary_reason", f"primary_reason.{primary.code}", primary.confidence
        yield from ((f"reasons.{one.code}", f"reasons.{one.code}", one.confidence) for one in others)


def _offered_profile(findings: Findings) -> Iterator[_Offer]:
    for code, reading in findings.meddpicc.items():
        yield f"meddpicc.{code}", f"meddpicc.{reading.state}.{code}", reading.confidence


def _offered_rest(findings: Findings) -> Iterator[_Offer]:
    for name in Flags.model_fields:
        flag = getattr(findings.flags, name)
        if flag.value is not None and flag.confidence is not None:
            yield name, f"{name}.{'yes' if flag.value else 'no'}", flag.confidence
    winback = findings.winback
    yield "winback", f"winback.{winback.state}", winback.confidence
    if winback.state == "open" and winback.revisit_on is not None and winback.revisit_confidence is not None:
        yield "revisit_on", "revisit_on", winback.revisit_confidence
    sure = [rival.confidence for rival in findings.competitors if rival.role != "mentioned"]
    if sure:
        yield "competitor", "competitor", min(sure)


def _rounded(value: float | np.floating) -> float:
    return round(min(1.0, max(0.0, float(value))), 6)
