from __future__ import annotations

from pathlib import Path

import pytest

from training.corpus import CorpusError, LabelledDeal, labelled_deal
from training.learning_curve import WAYS, Plan, Point, Replayed, make_table, replay, thin_out, write_picture

WORDS = {
    "price": "too expensive, cheaper elsewhere",
    "timing": "wrong time, put off until later",
    "budget": "no money left",
}


def history(count: int) -> list[LabelledDeal]:
    """Gives plain deals of three reasons in turn."""
    reasons = [list(WORDS)[at % 3] for at in range(count)]
    return [
        labelled_deal(
            {
                "id": f"d-{at}",
                "documents": [{"id": "text", "kind": "rep_note", "text": f"{WORDS[reason]} said number {at}"}],
                "labels": {"primary": reason, "reasons": [reason]},
            }
        )
        for at, reason in enumerate(reasons)
    ]


def curve(*accuracies: float) -> list[Point]:
    return [Point(10 * (at + 1), accuracy, accuracy) for at, accuracy in enumerate(accuracies)]


def replayed(teaches: list[Point], random: list[Point]) -> Replayed:
    curves = {"teaches most": [teaches], "random": [random], "oldest first": [curve(0.1, 0.1, 0.1)]}
    return Replayed(curves, [Point(90, 0.9, 0.9)])


def test_every_way_starts_alike_and_grows_by_batches() -> None:
    found = replay(history(60), Plan(first=6, batch=6, steps=3, seeds=2))
    assert set(found.curves) == set(WAYS)
    for seed in range(2):
        starts = {curves[seed][0] for curves in found.curves.values()}
        assert len(starts) == 1
    assert [point.labels for point in found.curves["random"][0]] == [6, 12, 18, 24]


def test_same_history_gives_the_same_curves() -> None:
    plan = Plan(first=6, batch=6, steps=2, seeds=1)
    assert replay(history(60), plan) == replay(history(60), plan)


def test_curves_end_where_no_batch_is_left() -> None:
    found = replay(history(60), Plan(first=6, batch=30, steps=9, seeds=1))
    assert [point.labels for point in found.curves["oldest first"][0]] == [6, 36]


def test_labels_to_the_target_lie_between_points() -> None:
    found = replayed(curve(0.2, 0.6, 0.7), curve(0.2, 0.3, 0.4))
    assert found.target == pytest.approx(0.4)
    assert found.labels_to_target("teaches most") == pytest.approx(15.0)
    assert found.labels_to_target("random") == pytest.approx(30.0)
    assert found.labels_to_target("oldest first") is None


def test_table_tells_what_came_out_either_way() -> None:
    table = make_table(replayed(curve(0.2, 0.25, 0.3), curve(0.2, 0.3, 0.4)))
    assert "| 10 | 0.200 | 0.200 | 0.100 |" in table
    assert "teaches most: more than were replayed; random: 30" in table


def test_picture_is_written(tmp_path: Path) -> None:
    write_picture(replayed(curve(0.2, 0.6, 0.7), curve(0.2, 0.3, 0.4)), tmp_path / "runs" / "curve.png")
    assert (tmp_path / "runs" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_long_histories_are_thinned_evenly() -> None:
    assert [one.deal.id for one in thin_out(history(10), 4)] == ["d-0", "d-3", "d-6", "d-9"]
    assert len(thin_out(history(10), 0)) == 10


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(CorpusError, match="too few to replay"):
        replay(history(10), Plan())
