from __future__ import annotations

import pytest

from lossnlp.classifier import LossClassifier
from training.behaviour import Change, Outcome, check_behaviour, rates, read_behaviour


@pytest.fixture(scope="module")
def outcomes(classifier: LossClassifier) -> list[Outcome]:
    return check_behaviour(classifier, read_behaviour())


@pytest.mark.parametrize("kind", ["capability", "invariance", "direction"])
def test_shipped_bundle_behaves_as_stated(outcomes: list[Outcome], kind: str) -> None:
    floor = next(one.floor for one in outcomes if one.kind == kind)
    failures = [note for one in outcomes if one.kind == kind for note in one.failures]
    assert rates(outcomes)[kind] >= floor, failures


def test_names_never_move_a_label(outcomes: list[Outcome]) -> None:
    named = [one for one in outcomes if "names" in one.name]
    assert len(named) == 2
    assert not [note for one in named for note in one.failures]


def test_changes_change_only_the_form() -> None:
    note = "They decided against it because training takes months."
    assert Change(typos=2).apply(note) != note
    assert sorted(Change(typos=2).apply(note)) == sorted(note)
    assert Change(prepend="14.10. -", append="!!").apply("Lost.") == "14.10. - Lost.!!"
