"""Batches: windows of like length that run together, each different one once.

A window is filled up to the next multiple of eight tokens, alone as among others, so in a batch it reads to the last bit as it reads
alone; tests hold that. The runtime keeps its code for every shape it has met: few shapes take little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lossnlp.heads import Array
from lossnlp.network import Batch
from lossnlp.windows import Window

LENGTH_STEP = 8
# From here on larger batches are no faster, see docs/decisions/0022.
TOKENS_TOGETHER = 128
_FILL_ID = 1  # it is masked

_Alike = tuple[int, ...]


def read_windows(windows: Sequence[Window], run: Callable[[Sequence[Batch]], Sequence[Array]]) -> list[Array]:
    """Gives the output of the owned tokens of each window, shape (owned, width).

    Args:
        windows: Of one or many deals.
        run: Gives the output of each batch, shape (windows, tokens, width).
    """
    groups = list(_groups(windows))
    outputs = run([_filled([windows[alike[0]] for alike in group]) for group in groups])
    found: dict[int, Array] = {}
    for group, output in zip(groups, outputs, strict=True):
        for alike, row in zip(group, output, strict=True):
            found |= {number: row[windows[number].owned] for number in alike}
    return [found[number] for number in range(len(windows))]


def _groups(windows: Sequence[Window]) -> Iterator[list[_Alike]]:
    """Gives the numbers of the windows batch by batch, the longest first, so that what runs last is short."""
    alike: dict[bytes, list[int]] = {}
    for number, window in enumerate(windows):
        alike.setdefault(window.ids.tobytes(), []).append(number)
    by_length: dict[int, list[_Alike]] = {}
    for numbers in alike.values():
        by_length.setdefault(_filled_length(windows[numbers[0]]), []).append(tuple(numbers))
    for length in sorted(by_length, reverse=True):
        rows = max(1, TOKENS_TOGETHER // length)
        for low in range(0, len(by_length[length]), rows):
            yield by_length[length][low : low + rows]


def _filled(windows: Sequence[Window]) -> Batch:
    ids = np.full((len(windows), _filled_length(windows[0])), _FILL_ID, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        mask[row, : len(window.ids)] = 1
    return Batch(ids, mask)


def _filled_length(window: Window) -> int:
    return -(-len(window.ids) // LENGTH_STEP) * LENGTH_STEP
