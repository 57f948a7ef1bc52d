"""Metrics: how right assessments are against gold labels, head by head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import fmean

from lossnlp.assessment import Assessment, Evidence
from lossnlp.segments import read_deal
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import get_default_taxonomy
from training.corpus import LabelledDeal, Labels

ECE_BINS = 10
_PHRASE_OVERLAP = 0.5


@dataclass(frozen=True)
class Judged:
    """An assessment beside the gold labels."""

    gold: LabelledDeal
    assessment: Assessment

    @property
    def labels(self) -> Labels:
        """Gold labels of the deal as a whole."""
        return self.gold.labels

    @property
    def is_primary_right(self) -> bool:
        """Says whether the primary reason is the gold one."""
        return self.assessment.primary.code == self.labels.primary


def evaluate(judged: Sequence[Judged]) -> dict[str, float]:
    """Gives every figure of the evaluation; figures whose question never arises in these deals are left out.

    Args:
        judged: Assessments with their gold labels, at least one.
    """
    figures = {
        "primary.accuracy": fmean(one.is_primary_right for one in judged),
        "primary.macro_f1": macro_f1([(one.labels.primary, one.assessment.primary.code) for one in judged]),
        "primary.ece": expected_calibration_error(
            [(one.assessment.primary.confidence, one.is_primary_right) for one in judged]
        ),
        "reasons.micro_f1": micro_f1(
            [(set(one.labels.reasons), {r.code for r in one.assessment.reasons}) for one in judged]
        ),
        "review.share": fmean("primary_reason" not in one.assessment.accepted for one in judged),
    }
    sure = [one.is_primary_right for one in judged if "primary_reason" in one.assessment.accepted]
    if sure:
        figures["primary.accepted_precision"] = fmean(sure)
    return (
        figures
        | _whole_figures([one for one in judged if not one.gold.is_partial])
        | _note_figures(judged)
        | _conflict_figures(judged)
        | _stated_figures(judged)
        | _evidence_figures(judged)
        | _role_figures(judged)
        | _speaker_figures(judged)
    )


def _whole_figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Gives the figures of what is known only of deals whose labels are complete."""
    if not judged:
        return {}
    return {
        "meddpicc.gap_micro_f1": micro_f1([states(one, "gap") for one in judged]),
        "meddpicc.covered_micro_f1": micro_f1([states(one, "covered") for one in judged]),
        "winback.macro_f1": macro_f1([(one.labels.winback, one.assessment.winback.state) for one in judged]),
        "competitors.micro_f1": micro_f1([rival_names(one) for one in judged]),
        "revisit.f1": phrase_f1([phrases(one) for one in judged]),
    }


def states(one: Judged, state: str) -> tuple[set[str], set[str]]:
    """Gives the elements that are in a state, in gold and as found."""
    gold = {code for code, value in one.labels.meddpicc.items() if value == state}
    return gold, {code for code, reading in one.assessment.meddpicc.items() if reading.state == state}


def rival_names(one: Judged, *, at_least: float = 0.0) -> tuple[set[str], set[str]]:
    """Gives gold and found names of rivals, the found ones from a confidence on."""
    found = {rival.name.casefold() for rival in one.assessment.competitors if rival.confidence >= at_least}
    return {name.casefold() for name in one.labels.competitors}, found


def _note_figures(judged: Sequence[Judged]) -> dict[str, float]:
    notes = [one for one in judged if one.labels.attribution != "na"]
    if not notes:
        return {}
    external = [
        (one.labels.attribution == "external_only", bool(one.assessment.flags.external_only.value)) for one in notes
    ]
    detail = [
        (one.labels.insufficient_detail, bool(one.assessment.flags.insufficient_detail.value))
        for one in notes
        if one.labels.insufficient_detail is not None
    ]
    values = [(one.labels.attribution, str(one.assessment.attribution.value)) for one in notes]
    return {
        "attribution.macro_f1": macro_f1(values),
        "external_only.f1": binary_f1(external),
        "insufficient_detail.f1": binary_f1(detail),
    }


def _stated_figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Gives the F1 of the flag that the CRM's stated reason is none of the gold reasons."""
    pairs = [
        (not set(stated) & set(one.labels.reasons), bool(one.assessment.flags.stated_reason_conflict.value))
        for one in judged
        if (stated := stated_codes(one.gold.deal.stated_reason, get_default_taxonomy()))
    ]
    return {"stated_reason_conflict.f1": binary_f1(pairs)} if pairs else {}


def _speaker_figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Gives the share of turns whose speaker was given the right role; a turn is what one voice says without a break."""
    right: list[bool] = []
    for one in judged:
        gold = {(who.document_id, who.speaker): who.role for who in one.gold.speakers}
        voices = ((segment.document_id, segment.speaker, segment.role) for segment in read_deal(one.gold.deal).segments)
        turns = (voice for voice, _ in groupby(voices))
        right += [
            gold[document, speaker] == role
            for document, speaker, role in turns
            if speaker is not None and (document, speaker) in gold
        ]
    return {"speakers.turn_accuracy": fmean(right)} if right else {}


def _conflict_figures(judged: Sequence[Judged]) -> dict[str, float]:
    pairs = [
        (one.labels.rep_buyer_conflict, bool(one.assessment.flags.rep_buyer_conflict.value))
        for one in judged
        if one.labels.rep_buyer_conflict is not None
    ]
    return {"rep_buyer_conflict.f1": binary_f1(pairs)} if pairs else {}


def _role_figures(judged: Sequence[Judged]) -> dict[str, float]:
    right = [
        one.labels.competitor_roles.get(rival.name) == rival.role
        for one in judged
        for rival in one.assessment.competitors
        if rival.name in one.labels.competitor_roles
    ]
    return {"competitors.role_accuracy": fmean(right)} if right else {}


def phrases(one: Judged, *, at_least: float = 0.0) -> tuple[str, str]:
    """Gives gold and found come-back phrase, empty where there is none or its confidence is lower."""
    winback = one.assessment.winback
    is_sure = (winback.revisit_confidence or 0.0) >= at_least
    return one.labels.revisit or "", (winback.revisit_text or "") if is_sure else ""


def phrase_f1(pairs: Iterable[tuple[str, str]]) -> float:
    """Gives the F1 of come-back phrases; a hit shares half of the words of both."""
    hits = said = wanted = 0
    for gold, phrase in pairs:
        said += bool(phrase)
        wanted += bool(gold)
        hits += overlap(words(gold), words(phrase)) >= _PHRASE_OVERLAP
    return 2 * hits / max(1, said + wanted)


def _evidence_figures(judged: Iterable[Judged]) -> dict[str, float]:
    scores = [
        evidence_score(quotes, shown)
        for one in judged
        for key, quotes in one.labels.evidence.items()
        if (shown := _shown(one.assessment, key))
    ]
    if not scores:
        return {}
    return {"evidence.word_iou": fmean(iou for iou, _ in scores), "evidence.word_recall": fmean(r for _, r in scores)}


def _shown(assessment: Assessment, key: str) -> Sequence[Evidence]:
    if key.startswith("meddpicc."):
        return assessment.meddpicc[key.removeprefix("meddpicc.")].evidence
    return next((reason.evidence for reason in assessment.reasons if reason.code == key), ())


def evidence_score(quotes: Sequence[str], shown: Sequence[Evidence]) -> tuple[float, float]:
    """Gives word overlap and word recall of the shown evidence against the gold quote that fits best, each 0 to 1."""
    said = words(" ".join(evidence.text for evidence in shown))
    return (
        max(overlap(words(quote), said) for quote in quotes),
        max(len(words(quote) & said) / max(1, len(words(quote))) for quote in quotes),
    )


def words(text: str) -> set[str]:
    """Gives the lower-case words of a text."""
    return set("".join(char.lower() if char.isalnum() else " " for char in text).split())


def overlap(one: set[str], other: set[str]) -> float:
    """Gives the Jaccard overlap of two sets, 0 to 1; 0 where both are empty."""
    return len(one & other) / len(one | other) if one and other else 0.0


def micro_f1(pairs: Iterable[tuple[set[str], set[str]]]) -> float:
    """Gives the F1 over all labels of gold and predicted sets; 1 where neither holds any."""
    counts: Counter[str] = Counter()
    for gold, found in pairs:
        counts.update(hit=len(gold & found), said=len(found), wanted=len(gold))
    total = counts["said"] + counts["wanted"]
    return 2 * counts["hit"] / total if total else 1.0


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Gives the mean F1 over the classes that occur in gold."""
    return fmean(
        binary_f1([(gold == label, found == label) for gold, found in pairs]) for label in {gold for gold, _ in pairs}
    )


def binary_f1(pairs: Sequence[tuple[bool | None, bool]]) -> float:
    """Gives the F1 of yes against no; 1 where neither side says yes."""
    hits = sum(bool(gold) and found for gold, found in pairs)
    total = sum(bool(gold) for gold, _ in pairs) + sum(found for _, found in pairs)
    return 2 * hits / total if total else 1.0


def expected_calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """Gives the expected calibration error over ten bins of equal mass, 0 to 1.

    Source: Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
    """
    gaps = [
        len(part) * abs(fmean(confidence for confidence, _ in part) - fmean(right for _, right in part))
        for part in equal_mass_bins(sorted(pairs))
    ]
    return sum(gaps) / max(1, len(pairs))


def equal_mass_bins(ranked: Sequence[tuple[float, bool]]) -> list[Sequence[tuple[float, bool]]]:
    """Gives up to ten stretches of as many values each, none empty.

    Args:
        ranked: Confidence and rightness, ascending.
    """
    edges = [place * len(ranked) // ECE_BINS for place in range(ECE_BINS + 1)]
    return [ranked[low:high] for low, high in pairwise(edges) if high > low]
