from __future__ import annotations

import numpy as np
import pytest

from lossnlp.heads import STRONGEST, Layout, Mixer, SegmentReadings, pool_segments, pool_view, read_view

LAYOUT = Layout(reasons=("price", "timing", "unknown"), elements=("champion",))


@pytest.fixture
def tokens() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(7, LAYOUT.width)).astype(np.float32)


def readings(tokens: np.ndarray) -> SegmentReadings:
    return pool_segments(tokens, np.array([0, 2, 5]), LAYOUT)


def test_columns_of_the_layout_add_up() -> None:
    assert LAYOUT.width == LAYOUT.n_slots + LAYOUT.n_values + LAYOUT.n_tags
    assert sum(where.stop - where.start for where in LAYOUT.outputs.values()) == LAYOUT.n_outputs
    assert sorted(LAYOUT.value_of_output.tolist()) == list(range(LAYOUT.n_values))


def test_segment_reading_is_weighted_by_attention(tokens: np.ndarray) -> None:
    tokens[:2, 0] = [10.0, -10.0]
    assert readings(tokens).values[0, 0] == pytest.approx(tokens[0, LAYOUT.n_slots], abs=1e-4)


def test_attending_twice_equals_attending_all_tokens(tokens: np.ndarray) -> None:
    features, weights = pool_view(readings(tokens), np.arange(3), sources=(True, False), layout=LAYOUT)
    attention = np.exp(tokens[:, 0]) / np.exp(tokens[:, 0]).sum()
    assert features[0] == pytest.approx(float(attention @ tokens[:, LAYOUT.n_slots]), abs=1e-5)
    assert weights[:, 0].tolist() == pytest.approx(
        [attention[:2].sum(), attention[2:5].sum(), attention[5:].sum()], abs=1e-5
    )


def test_untrained_mixer_changes_nothing(tokens: np.ndarray) -> None:
    zeros = np.zeros
    mixer = Mixer(
        inner=(zeros((4, LAYOUT.n_features), np.float32), zeros(4, np.float32)),
        outer=(zeros((LAYOUT.n_outputs, 4), np.float32), zeros(LAYOUT.n_outputs, np.float32)),
    )
    features, _ = pool_view(readings(tokens), np.arange(3), sources=(True, True), layout=LAYOUT)
    view = read_view(readings(tokens), np.arange(3), sources=(True, True), mixer=mixer, layout=LAYOUT)
    assert view.logits.tolist() == pytest.approx(features[LAYOUT.value_of_output].tolist())


def test_no_segments_give_empty_readings() -> None:
    assert pool_segments(np.zeros((0, LAYOUT.width), np.float32), np.zeros(0, np.int64), LAYOUT).mass.shape == (
        0,
        LAYOUT.n_slots,
    )


def test_only_the_strongest_segments_are_read() -> None:
    rng = np.random.default_rng(4)
    tokens = rng.normal(size=(40, LAYOUT.width)).astype(np.float32)
    tokens[:, 0] = 0.0
    tokens[11, 0] = 1.0
    many = pool_segments(tokens, np.arange(40), LAYOUT)
    _, weights = pool_view(many, np.arange(40), sources=(False, True), layout=LAYOUT)
    assert int((weights[:, 1] > 0).sum()) == STRONGEST
    assert weights[11, 0] == weights[:, 0].max()
    assert weights.sum(axis=0).tolist() == pytest.approx([1.0] * LAYOUT.n_slots, abs=1e-5)
