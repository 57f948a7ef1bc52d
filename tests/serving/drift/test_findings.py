"""What a look says of each feature: what is held back, what has moved, and which deals make up a change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from serving.drift.features import FEATURE_BY_NAME, Sample
from serving.drift.findings import FEWEST, compare_samples, find_moved_deals, read_findings, write_findings

REASON, CONFIDENCE, WORDS = (FEATURE_BY_NAME[name] for name in ("reason", "confidence", "vocabulary"))
LEVEL = 0.002


def sample(feature: Any, values: Any) -> Sample:
    return Sample(
        np.arange(len(values)), {feature.name: np.array(values, dtype=object if feature is REASON else float)}
    )


def compare(feature: Any, newest: Any, reference: Any, known: frozenset[str] = frozenset()) -> Any:
    pair = sample(feature, newest), sample(feature, reference)
    (found,) = compare_samples(*pair, level=LEVEL, known=known, features=[feature])
    return found


def test_values_that_are_missing_do_not_count() -> None:
    found = compare(REASON, ["price"] * FEWEST + [None] * 9, ["price"] * FEWEST + [None])
    assert (found.newest_deals, found.reference_deals, found.verdict) == (FEWEST, FEWEST, "no clear change")


def test_one_deal_too_few_is_held_back() -> None:
    found = compare(CONFIDENCE, [0.1] * (FEWEST - 1) + [np.nan], [0.9] * 90)
    assert (found.p, found.is_alarm, found.values) == (None, False, ())


def test_labels_that_moved_are_marked() -> None:
    newest = ["price"] * 30 + ["timing"] * 10 + ["legal"] * 10
    found = compare(REASON, newest, ["price"] * 20 + ["timing"] * 60 + ["legal"] * 20)
    assert [value.label for value in found.values if value.has_moved] == ["timing", "price"]
    assert {value.label: value.newest for value in found.values} == {"price": 0.6, "timing": 0.2, "legal": 0.2}


def test_alarm_of_the_look_before_is_not_new() -> None:
    newest, reference = ["price"] * 40, ["timing"] * 80
    assert compare(REASON, newest, reference).is_new
    assert not compare(REASON, newest, reference, frozenset({"reason"})).is_new


def test_deals_of_a_moved_label_make_up_the_change() -> None:
    newest = sample(REASON, ["price"] * 30 + ["legal"] * 10 + [None])
    masks = find_moved_deals(REASON, newest, sample(REASON, ["price"] * 20 + ["legal"] * 20 + ["timing"] * 40))
    assert [mask.sum() for mask in masks] == [30]


def test_low_amounts_make_up_a_fall() -> None:
    newest = sample(CONFIDENCE, [0.2] * 20 + [0.9] * 20 + [np.nan])
    (mask,) = find_moved_deals(CONFIDENCE, newest, sample(CONFIDENCE, [0.9] * 60))
    assert mask.tolist() == [True] * 20 + [False] * 21


def test_new_words_make_up_a_change_of_vocabulary() -> None:
    newest = sample(WORDS, [[1.0, 0.0]] * 20 + [[0.0, 1.0]] * 20)
    (mask,) = find_moved_deals(WORDS, newest, sample(WORDS, [[1.0, 0.0]] * 60))
    assert mask.tolist() == [False] * 20 + [True] * 20


def test_findings_are_read_as_they_were_written() -> None:
    found = compare(REASON, ["price"] * 40, ["timing"] * 80)
    assert read_findings(json.loads(json.dumps(write_findings([found])))) == (found,)
