from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossnlp.taxonomy import get_default_taxonomy
from lossnlp.taxonomy_change import changed_taxonomy, read_change
from tests.change_steps import HEAD, MERGE
from training import relabel
from training.verdict_file import read_verdicts

CHANGE = f"{HEAD}{MERGE}  - retire: unresponsive\n"


def line(deal_id: str, *reasons: str, **evidence: list[str]) -> str:
    documents = [{"id": "n", "kind": "rep_note", "text": "too dear and no money"}]
    labels: dict[str, Any] = {"primary": reasons[0], "reasons": reasons, "evidence": evidence}
    row = {"format": "lossnlp-verdicts/1", "id": deal_id, "deal": {}, "documents": documents, "labels": labels}
    return json.dumps(row)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    (tmp_path / "change.yaml").write_text(CHANGE)
    lines = [line("A", "budget", "price", budget=["no money"], price=["too dear"]), line("B", "timing", "unresponsive")]
    (tmp_path / "old.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "change.yaml"), str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl")


def test_relabelled_verdicts_can_be_learned(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    relabel.main(list(files))
    old = get_default_taxonomy()
    [judged] = read_verdicts(Path(files[2]), changed_taxonomy(old, read_change(Path(files[0]), old)))
    assert judged.labels.reasons == ("money",)
    assert judged.labels.evidence == {"money": ("no money", "too dear")}
    assert "1 verdicts in" in capsys.readouterr().out


def test_open_verdict_is_left_out(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    relabel.main(list(files))
    assert "1 left out" in capsys.readouterr().out


def test_line_that_is_no_verdict_is_named(files: tuple[str, str, str]) -> None:
    Path(files[1]).write_text("{}\n")
    with pytest.raises(SystemExit, match="Line 1 is no verdict"):
        relabel.main(list(files))
