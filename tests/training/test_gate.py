from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.gate_trials import COLLAPSED, EQUAL, FLIPPED, MISCALIBRATED, SLOWED, Trial, golden_deals, run_trial
from benchmarks.stand_in import Seconds, Skill, StandIn, stand_in_outcomes
from training.behaviour import Outcome
from training.examine import Examined, examine
from training.gate import GateError, Shown, paired_checks, rule
from training.metrics import evaluate
from training.paired import clearly_better, compare, draw_weights
from training.tally import pass_rate, tallies

DEALS = 200


def seen(skill: Skill, count: int = DEALS) -> Examined:
    deals, clock = golden_deals()[:count], Seconds()
    return examine(StandIn(deals, skill, clock), StandIn(deals, skill, clock), deals, clock=clock)[0]


def shown(skill: Skill, count: int = DEALS) -> Shown:
    examined = seen(skill, count)
    return Shown(f"skill {skill.seed}", examined.judged, examined.seconds, stand_in_outcomes(skill))


@pytest.fixture(scope="module")
def champion() -> Shown:
    return shown(Skill(1))


def few(trial: Trial) -> Trial:
    return replace(trial, deals=DEALS)


@pytest.mark.parametrize("trial", [FLIPPED, COLLAPSED, MISCALIBRATED, SLOWED], ids=lambda trial: trial.name)
def test_harmed_challenger_is_refused(trial: Trial) -> None:
    assert not any(run_trial(few(trial), seed).promotes for seed in range(2))


@pytest.mark.parametrize(
    ("trial", "figure"),
    [(MISCALIBRATED, "primary.ece"), (SLOWED, "speed.deals_a_second"), (COLLAPSED, "recall.")],
    ids=["miscalibrated", "slowed", "collapsed"],
)
def test_what_is_harmed_is_named_although_all_else_is_better(trial: Trial, figure: str) -> None:
    ruling = run_trial(replace(few(trial), mended=0.5), 4)
    assert ruling.better
    assert any(name.startswith(figure) for name in ruling.broken)


def test_equal_challenger_is_not_promoted() -> None:
    assert not any(run_trial(few(EQUAL[0]), seed).promotes for seed in range(3))


def test_better_challenger_is_promoted() -> None:
    ruling = run_trial(Trial("better", mended=0.5, deals=800), 1)
    assert ruling.promotes
    assert "primary.accuracy" in ruling.better


def test_the_same_seed_gives_the_same_ruling(champion: Shown) -> None:
    challenger = shown(Skill(2))
    lows = [[row.difference.low for row in rule(champion, challenger, seed=3).rows] for _ in range(2)]
    assert lows[0] == lows[1]


def test_few_golden_deals_are_not_enough() -> None:
    few_shown = shown(Skill(1), 60)
    with pytest.raises(GateError, match="60 golden deals are new to both bundles"):
        rule(few_shown, few_shown)


def test_tallies_are_the_figures_of_the_evaluation(champion: Shown) -> None:
    expected = evaluate(champion.golden)
    found = {name: tally.figure for name, tally in tallies(champion.golden).items()}
    assert found.pop("primary.accepted_share") == pytest.approx(1 - expected["review.share"])
    assert found == pytest.approx({name: expected[name] for name in found})


def test_deals_of_a_group_are_drawn_together() -> None:
    weights = draw_weights(["a", "b", "a", "c"], seed=1, draws=50)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_one_difference_in_many_checks_is_luck() -> None:
    weights = draw_weights([str(place) for place in range(100)], seed=1)
    one_failed, none_failed = pass_rate([True] * 99 + [False]), pass_rate([True] * 100)
    found = compare({"rate": one_failed}, {"rate": none_failed}, weights)
    assert found["rate"].better_by == pytest.approx(0.01)
    assert clearly_better(found, {}) == []


def test_what_no_deal_tells_of_is_named(champion: Shown) -> None:
    unsure = [replace(one, assessment=one.assessment.model_copy(update={"accepted": ()})) for one in champion.golden]
    assert "primary.accepted_precision" in rule(champion, replace(champion, golden=unsure)).untold


def test_checks_of_both_bundles_are_paired() -> None:
    before = [Outcome("capability", "price", 1, 3, 0.9, ("a", "b"))]
    after = [Outcome("capability", "price", 2, 3, 0.9, ("b",))]
    assert paired_checks(before, after) == ([False, False, True], [True, False, True])


def test_readers_take_turns_on_the_clock() -> None:
    first: list[str] = []

    class Named(StandIn):
        def assess(self, deal):
            first.append(deal.id if self is readers[0] else f"second {deal.id}")
            return super().assess(deal)

    deals, clock = golden_deals()[:2], Seconds()
    readers = Named(deals, Skill(1), clock), Named(deals, Skill(2), clock)
    one, other = examine(*readers, deals, clock=clock)
    ids = [labelled.deal.id for labelled in deals]
    assert first[2:] == [ids[0], f"second {ids[0]}", f"second {ids[1]}", ids[1]]
    assert sum(one.seconds) + sum(other.seconds) < clock()
