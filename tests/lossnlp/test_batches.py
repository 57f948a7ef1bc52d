from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lossnlp.batches import LENGTH_STEP, TOKENS_TOGETHER, read_windows
from lossnlp.heads import Array
from lossnlp.network import Batch
from lossnlp.windows import Window


class EchoNetwork:
    """Gives the ids themselves as output and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Batch] = []

    def run(self, batches: Sequence[Batch]) -> list[Array]:
        self.asked += batches
        return [batch.ids[:, :, None].astype(np.float32) for batch in batches]


def window(*ids: int) -> Window:
    """Gives a window whose first and last token are special ones."""
    owned = np.arange(1, len(ids) - 1)
    return Window(np.array(ids), owned, np.zeros_like(owned), np.zeros((len(owned), 2), np.int64))


def test_each_window_gets_its_own_output() -> None:
    windows = [window(0, 5, 2), window(0, 7, 8, 2), window(0, 6, 2), window(0, 9, 9, 9, 2)]
    outputs = read_windows(windows, EchoNetwork().run)
    assert [output[:, 0].tolist() for output in outputs] == [[5], [7, 8], [6], [9, 9, 9]]


def test_identical_windows_are_computed_once() -> None:
    network = EchoNetwork()
    outputs = read_windows([window(0, 5, 2), window(0, 6, 2), window(0, 5, 2)], network.run)
    assert sum(len(batch.ids) for batch in network.asked) == 2
    assert np.array_equal(outputs[0], outputs[2])


def test_lone_windows_are_filled_alike() -> None:
    network = EchoNetwork()
    read_windows([window(*range(LENGTH_STEP + 1)), window(0, 5, 2)], network.run)
    assert [batch.ids.shape for batch in network.asked] == [(1, 2 * LENGTH_STEP), (1, LENGTH_STEP)]
    assert [batch.mask.sum() for batch in network.asked] == [LENGTH_STEP + 1, 3]


def test_batches_stay_small() -> None:
    network = EchoNetwork()
    read_windows([window(0, number, 2) for number in range(200)], network.run)
    assert max(batch.ids.size for batch in network.asked) <= TOKENS_TOGETHER
    assert sum(len(batch.ids) for batch in network.asked) == 200


def test_long_window_runs_alone() -> None:
    network = EchoNetwork()
    read_windows([window(number, *range(TOKENS_TOGETHER)) for number in range(2)], network.run)
    assert [len(batch.ids) for batch in network.asked] == [1, 1]


def test_no_windows_give_no_outputs() -> None:
    assert read_windows([], EchoNetwork().run) == []
