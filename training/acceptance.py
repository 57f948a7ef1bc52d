"""Acceptance: the confidence from which a value may be written without a person, for a stated precision."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lossnlp.assessment import Assessment
from lossnlp.revisit import resolve_revisit
from training.corpus import Labels
from training.metrics import Judged

MIN_SURE = 3
_ONE_SIDED_80 = 0.8416


def acceptance(judged: Sequence[Judged], target: float) -> dict[str, float | None]:
    """Gives, for each kind of value, the confidence from which at least `target` of the values were right.

    The threshold comes from all values of a head. A label keeps it if at least three of its own values reached it and enough of those
    were right; it gets a higher one where that brings enough right values, and else always goes to a person.

    Args:
        judged: Held-out assessments beside their gold labels.
        target: Precision to reach, 0 to 1.
    """
    accept: dict[str, float | None] = {}
    for head, values in _values(judged).items():
        pairs = [pair for pairs in values.values() for pair in pairs]
        common = threshold_for(pairs, target)
        for label, own in values.items():
            accept[f"{head}.{label}" if label else head] = _own_threshold(own, common, target)
    return accept


def _own_threshold(own: Sequence[tuple[float, bool]], common: float | None, target: float) -> float | None:
    """Gives a label's threshold: never below that of its head, which rests on many more values."""
    sure = [pair for pair in own if common is not None and pair[0] >= common]
    if len(sure) < MIN_SURE:
        return None
    return common if fmean(right for _, right in sure) >= target else threshold_for(sure, target)


def threshold_for(pairs: Sequence[tuple[float, bool]], target: float) -> float | None:
    """Gives the lowest confidence from which at least `target` of the values are right, or None.

    Few values promise more than they hold, so the lower end of an interval has to reach the target, not the share that was seen.

    Args:
        pairs: Confidence of each value and whether it was right.
        target: Precision to reach, 0 to 1.
    """
    ranked = sorted(pairs, reverse=True)
    counts = np.arange(1, len(ranked) + 1)
    right = np.cumsum([good for _, good in ranked])
    levels = np.array([confidence for confidence, _ in ranked])
    is_last = np.append(levels[1:] != levels[:-1], True) if len(levels) else np.zeros(0, bool)
    enough = np.flatnonzero((precision_at_least(right, counts) >= target) & is_last)
    return round(float(ranked[int(enough[-1])][0]), 4) if len(enough) else None


def precision_at_least(right: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.floating]:
    """Gives the precision that four of five such samples stand for at least, shape as the input.

    Args:
        right: Number of right values.
        counts: Number of values, at least 1.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference" (one-sided, 80 %).
    """
    share, z = right / counts, _ONE_SIDED_80
    spread = z * np.sqrt(share * (1 - share) / counts + z**2 / (4 * counts**2))
    bound: NDArray[np.floating] = (share + z**2 / (2 * counts) - spread) / (1 + z**2 / counts)
    return bound


def _values(judged: Sequence[Judged]) -> dict[str, dict[str, list[tuple[float, bool]]]]:
    """Gives confidence and rightness of every value, by head and label."""
    found: dict[str, dict[str, list[tuple[float, bool]]]] = {}

    def note(head: str, label: str, confidence: float | None, *, right: bool) -> None:
        found.setdefault(head, {}).setdefault(label, []).append((confidence or 0.0, right))

    for one in judged:
        _note_reasons(one.assessment, one.labels, note)
        if one.gold.is_partial:
            continue
        _note_labels(one.assessment, one.labels, note)
        _note_flags(one.assessment, one.labels, note)
        _note_revisit(one, note)
    return found


class Note(Protocol):
    """Takes down one value."""

    def __call__(self, head: str, label: str, confidence: float | None, *, right: bool) -> None:
        """Takes down head, label, confidence and whether the value was right."""


def _note_reasons(assessment: Assessment, labels: Labels, note: Note) -> None:
    for reason in assessment.reasons:
        if reason.primary:
            note("primary_reason", reason.code, reason.confidence, right=reason.code == labels.primary)
        else:
            note("reasons", reason.code, reason.confidence, right=reason.code in labels.reasons)


def _note_labels(assessment: Assessment, labels: Labels, note: Note) -> None:
    for code, reading in assessment.meddpicc.items():
        right = labels.meddpicc.get(code, "not_mentioned") == reading.state
        note(f"meddpicc.{reading.state}", code, reading.confidence, right=right)
    winback = assessment.winback
    note("winback", winback.state, winback.confidence, right=winback.state == labels.winback)
    for rival in assessment.competitors:
        if rival.role != "mentioned":
            note("competitor", "", rival.confidence, right=labels.competitor_roles.get(rival.name) == rival.role)


def _note_revisit(judged: Judged, note: Note) -> None:
    """Notes whether the date is that of the gold phrase; a date counts only where the way back is open."""
    winback, closed_on = judged.assessment.winback, judged.gold.deal.closed_at
    if winback.state == "open" and winback.revisit_on is not None and closed_on is not None:
        gold = resolve_revisit(judged.labels.revisit, closed_on) if judged.labels.revisit else None
        note("revisit_on", "", winback.revisit_confidence, right=gold == winback.revisit_on)


def _note_flags(assessment: Assessment, labels: Labels, note: Note) -> None:
    truths = {
        "external_only": None if labels.attribution == "na" else labels.attribution == "external_only",
        "insufficient_detail": labels.insufficient_detail,
        "rep_buyer_conflict": labels.rep_buyer_conflict,
    }
    for name, truth in truths.items():
        flag = getattr(assessment.flags, name)
        if truth is not None and flag.value is not None:
            note(name, "yes" if flag.value else "no", flag.confidence, right=flag.value == truth)
