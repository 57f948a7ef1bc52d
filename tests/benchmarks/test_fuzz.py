from __future__ import annotations

import pytest

from benchmarks.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_target_takes_what_it_begins_from(name: str) -> None:
    for seed in (*TARGETS[name].seeds, b"", b"\x00", b"\x01\xff\xfe"):
        TARGETS[name].take(seed)
