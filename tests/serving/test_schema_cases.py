"""What the OpenAPI document says of requests and answers holds for generated ones; `python -m benchmarks.schema_cases` asks many more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.schema_cases import SECRET, ask_all, served


def test_every_answer_is_as_described(tmp_path: Path, assessor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_DOOR_DEALS_SECRET", SECRET)
    with served(tmp_path, assessor) as url:
        found = ask_all(url, cases=1, seed=31, examples=3)
    assert found.failures == {}
    assert found.chained
    assert found.statuses["POST /v1/assessments 201"]
    assert found.statuses["POST /doors/deals 200"]
