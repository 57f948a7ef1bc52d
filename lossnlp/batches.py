"""Batches: windows of equal length that run together, each different one once.

Nothing is padded, so a window reads in a batch, to the last bit, as it reads alone; tests hold that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lossnlp.heads import Array
from lossnlp.network import Ids
from lossnlp.windows import Window

# From here on larger batches are no faster, see docs/decisions/0022.
TOKENS_TOGETHER = 128


@dataclass(frozen=True)
class _Batch:
    """Some different windows of equal length.

    Args:
        ids: Vocabulary ids, shape (rows, tokens), int64.
        windows: For each row the numbers of the windows that read so.
    """

    ids: Ids
    windows: tuple[tuple[int, ...], ...]


def read_windows(windows: Sequence[Window], run: Callable[[Sequence[Ids]], Sequence[Array]]) -> list[Array]:
    """Gives the output of the owned tokens of each window, shape (owned, width).

    Args:
        windows: Of one or many deals.
        run: Gives the output of each batch, shape (rows, tokens, width), for its ids, shape (rows, tokens).
    """
    batches = list(_batches(windows))
    found: dict[int, Array] = {}
    for batch, output in zip(batches, run([batch.ids for batch in batches]), strict=True):
        for row, alike in zip(output, batch.windows, strict=True):
            found |= {number: row[windows[number].owned] for number in alike}
    return [found[number] for number in range(len(windows))]


def _batches(windows: Sequence[Window]) -> Iterator[_Batch]:
    """Gives the batches, the longest windows first, so that what runs last is short."""
    alike: dict[bytes, list[int]] = {}
    for number, window in enumerate(windows):
        alike.setdefault(window.ids.tobytes(), []).append(number)
    by_length: dict[int, list[tuple[int, ...]]] = {}
    for numbers in alike.values():
        by_length.setdefault(len(windows[numbers[0]].ids), []).append(tuple(numbers))
    for length in sorted(by_length, reverse=True):
        rows = max(1, TOKENS_TOGETHER // length)
        for low in range(0, len(by_length[length]), rows):
            some = tuple(by_length[length][low : low + rows])
            yield _Batch(np.stack([windows[numbers[0]].ids for numbers in some]), some)
