"""A round gives every deal its own answer, whatever the call for many does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.load.rounds import read_round
from tests.serving.conftest import KeywordAssessor
from tests.serving.load.conftest import RoundAssessor, deal_of

DEALS = [deal_of(name) for name in "ABCDE"]


class Swapping(RoundAssessor):
    """Gives its answers the wrong way round."""

    def assess_many(self, deals: Sequence[Deal], /) -> list[Assessment]:
        return super().assess_many(deals)[::-1]


class Forgetful(RoundAssessor):
    """Gives an answer too few."""

    def assess_many(self, deals: Sequence[Deal], /) -> list[Assessment]:
        return super().assess_many(deals)[:-1]


class OneByOne(KeywordAssessor):
    """Gives its answers as they are made, up to the first that fails."""

    def assess_many(self, deals: Sequence[Deal], /) -> Iterator[Assessment]:
        return map(self.assess, deals)


def ids(answers: Iterator[Assessment | Exception]) -> list[str]:
    return [type(one).__name__ if isinstance(one, Exception) else one.deal_id for one in answers]


@pytest.mark.parametrize("kind", [KeywordAssessor, RoundAssessor, OneByOne, Swapping, Forgetful])
def test_every_deal_gets_its_own_answer(kind: type[KeywordAssessor]) -> None:
    assert ids(read_round(kind(), DEALS)) == list("ABCDE")


@pytest.mark.parametrize("kind", [KeywordAssessor, RoundAssessor, OneByOne])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_fault_stands_in_its_own_place(kind: type[KeywordAssessor], place: int) -> None:
    deals = [*DEALS]
    deals[place] = deal_of("bad", "explode")
    wanted = list("ABCDE")
    wanted[place] = "RuntimeError"
    assert ids(read_round(kind(), deals)) == wanted


def test_answers_before_a_fault_are_kept() -> None:
    assessor = OneByOne()
    assert ids(read_round(assessor, [*DEALS, deal_of("bad", "explode")]))[-1] == "RuntimeError"
    assert assessor.calls == [*"ABCDE", "bad", "bad"]


def test_sound_round_is_one_call() -> None:
    assessor = RoundAssessor()
    assert ids(read_round(assessor, DEALS)) == list("ABCDE")
    assert assessor.rounds == [list("ABCDE")]
