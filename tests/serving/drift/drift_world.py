"""Weeks of deals as figures alone, drawn at random: quiet ones, and ones in which something has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from serving.drift.features import FEATURE_BY_NAME, FEATURES, Feature, Sample
from serving.drift.figures import BUCKETS
from serving.drift.findings import Finding, compare_samples

Columns = dict[str, Any]
Change = Callable[[np.random.Generator, Columns], None]
NEWEST_WEEKS, REFERENCE_WEEKS = 4, 26
_REASONS = [f"reason-{rank}" for rank in range(18)]
_WEIGHTS = np.array([0.2, 0.15, 0.1, 0.1, *[0.45 / 14] * 14])
_WORDS_OF = 400
_VOCABULARY = np.random.default_rng(7).normal(size=(_WORDS_OF, BUCKETS))


def draw_week(random: np.random.Generator, deals: int, change: Change | None = None) -> Columns:
    """Gives the columns of one week's deals; judged are one in three that were asked about, and one in ten of the others."""
    words = np.round(np.exp(random.normal(4.0, 0.7, deals))) + 3
    asked = random.random(deals) < 0.5
    right = random.random(deals) < np.where(asked, 0.7, 0.9)
    judged = random.random(deals) < np.where(asked, 0.34, 0.1)
    columns = {
        "words": words,
        "unknown_share": random.binomial(words.astype(int), 0.12) / words,
        "vocabulary": np.stack([_VOCABULARY[random.zipf(1.5, 20) % _WORDS_OF].mean(axis=0) for _ in range(deals)]),
        "sources": _choose(random, deals, ["rep_note", "call_transcript+rep_note", "buyer_interview"], [0.7, 0.2, 0.1]),
        "language": _choose(random, deals, ["en", "de"], [0.97, 0.03]),
        "reason": _choose(random, deals, _REASONS, _WEIGHTS),
        "confidence": random.beta(5, 2, deals),
        "waits": np.where(asked, "asked", "not asked").astype(object),
        "right_drawn": _judged(right, judged & ~asked),
        "right_asked": _judged(right, judged & asked),
    }
    if change is not None:
        change(random, columns)
    return columns


def look(weeks: list[Columns], *, level: float, features: Sequence[Feature] = FEATURES) -> tuple[Finding, ...]:
    """Gives what is found when the last four of these weeks are compared with those before."""
    newest, reference = _join(weeks[-NEWEST_WEEKS:]), _join(weeks[:-NEWEST_WEEKS])
    return compare_samples(newest, reference, level=level, features=features)


def count_alarm_weeks(seed: int, *, deals: int, level: float) -> int:
    """Gives in how many of a quiet year's 52 looks anything is in alarm."""
    random = np.random.default_rng(seed)
    span = NEWEST_WEEKS + REFERENCE_WEEKS
    weeks = [draw_week(random, deals) for _ in range(span + 51)]
    looks = (look(weeks[first : first + span], level=level) for first in range(52))
    return sum(any(finding.is_alarm for finding in found) for found in looks)


def weeks_to_alarm(seed: int, change: Change, *, deals: int, level: float, feature: str, most: int = 12) -> int:
    """Gives after how many changed weeks a feature is in alarm; one more than `most` where it is not by then."""
    random = np.random.default_rng(seed)
    weeks = [draw_week(random, deals) for _ in range(NEWEST_WEEKS + REFERENCE_WEEKS)]
    for passed in range(1, most + 1):
        weeks = [*weeks[1:], draw_week(random, deals, change)]
        (found,) = look(weeks, level=level, features=[FEATURE_BY_NAME[feature]])
        if found.is_alarm:
            return passed
    return most + 1


def reason_doubles(random: np.random.Generator, columns: Columns) -> None:
    """A fifth of the deals has the first reason; a quarter of the others takes it too."""
    others = columns["reason"] != _REASONS[0]
    columns["reason"][others & (random.random(len(others)) < 0.25)] = _REASONS[0]


def notes_halve(_random: np.random.Generator, columns: Columns) -> None:
    columns["words"] = np.round(columns["words"] / 2)


def language_arrives(random: np.random.Generator, columns: Columns) -> None:
    """Every fifth deal is written in French."""
    columns["language"][random.random(len(columns["language"])) < 0.2] = "fr"


def confidence_falls(_random: np.random.Generator, columns: Columns) -> None:
    columns["confidence"] = columns["confidence"] * 0.8


def words_change(random: np.random.Generator, columns: Columns) -> None:
    """A third of the words of each text are of a trade that was not spoken of before."""
    trade = np.random.default_rng(8).normal(size=(20, BUCKETS))
    deals = len(columns["vocabulary"])
    said = trade[random.integers(0, len(trade), (deals, 7))].mean(axis=1)
    columns["vocabulary"] = columns["vocabulary"] * 2 / 3 + said / 3


def _choose(random: np.random.Generator, deals: int, values: list[str], weights: Any) -> Any:
    return np.array(values, dtype=object)[random.choice(len(values), size=deals, p=weights)]


def _judged(right: Any, judged: Any) -> Any:
    return np.where(judged, np.where(right, "right", "another reason holds"), None)


def _join(weeks: list[Columns]) -> Sample:
    columns = {one.name: np.concatenate([week[one.name] for week in weeks]) for one in FEATURES}
    return Sample(np.arange(len(columns["words"])), columns)
