"""What the speed benchmarks count with: material, operations, fields, what Locust tells."""

from __future__ import annotations

import pytest

from benchmarks.growth import steps
from benchmarks.load import read_locust
from benchmarks.material import notes, transcript
from benchmarks.peak import window_operations


def test_notes_are_the_same_every_time() -> None:
    assert notes(20) == notes(30)[:20]


def test_transcript_has_so_many_words() -> None:
    (document,) = transcript(60).documents
    assert [len(text.split()) for _, text in document.numbered_texts] == [25, 25, 10]


def test_operations_of_a_window_add_up() -> None:
    assert window_operations(1, layers=1, width=2, inner=3, out=5) == 8 * 4 + 4 * 2 + 4 * 2 * 3 + 2 * 2 * 5


def test_locust_answers_become_percentiles() -> None:
    told = {"num_requests": 100, "num_failures": 1, "response_times": {"10.0": 98, "90.0": 2}}
    found = read_locust([told], 12.0, seconds=10.0)
    assert (found.p50_ms, found.p99_ms, found.failed) == (10.0, 90.0, 0.01)
    assert found.answered_per_s == pytest.approx(9.9)


def test_no_answer_at_all_counts_as_slowest() -> None:
    assert read_locust([], 5.0, seconds=1.0).p50_ms == 60_000


@pytest.mark.parametrize(("most", "sizes"), [(10_000, [100, 1_000, 10_000]), (20, [2, 20])])
def test_sizes_grow_by_ten_up_to_the_most(most: int, sizes: list[int]) -> None:
    assert steps(100, most) == sizes
