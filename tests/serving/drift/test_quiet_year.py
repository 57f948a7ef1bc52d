"""The promise of drift: a quiet year stays quiet as often as stated, and a change is found within stated weeks."""

from __future__ import annotations

from functools import partial
from statistics import median

import pytest

from serving.drift.features import FEATURES, WEEKS_A_YEAR, level_of
from tests.serving.drift.drift_world import (
    Change,
    confidence_falls,
    count_alarm_weeks,
    language_arrives,
    notes_halve,
    reason_doubles,
    weeks_to_alarm,
    words_change,
)

YEARS, SEEDS = 6, 6


def test_levels_of_a_year_add_up_to_the_rate() -> None:
    assert level_of(0.5) * len(FEATURES) * WEEKS_A_YEAR == pytest.approx(0.5)


def test_quiet_years_keep_the_stated_rate() -> None:
    alarm_weeks = sum(count_alarm_weeks(seed, deals=8, level=level_of(1.0)) for seed in range(YEARS))
    assert alarm_weeks <= YEARS


@pytest.mark.parametrize(
    ("change", "feature", "half_within", "all_within"),  # weeks, at 40 deals a week
    [
        (reason_doubles, "reason", 4, 7),
        (notes_halve, "words", 2, 4),
        (language_arrives, "language", 1, 2),
        (confidence_falls, "confidence", 2, 3),
        (words_change, "vocabulary", 2, 3),
    ],
)
def test_change_is_found_within_weeks(change: Change, feature: str, half_within: int, all_within: int) -> None:
    passed = partial(weeks_to_alarm, change=change, deals=40, level=level_of(1.0), feature=feature)
    weeks = [passed(seed) for seed in range(SEEDS)]
    assert median(weeks) <= half_within
    assert max(weeks) <= all_within
