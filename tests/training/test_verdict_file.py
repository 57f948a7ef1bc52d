from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.calibration import Calibration
from training.card import Measured, RunRecord, write_card
from training.config import TrainConfig
from training.corpus import CorpusError, labelled_deal
from training.evaluate import by_group
from training.examples import ExampleMaker
from training.material import corpus_material
from training.metrics import Judged
from training.verdict_file import FORMAT, read_verdicts

Rows = Callable[..., dict[str, Any]]


def judged(row: dict[str, Any], deal_id: str = "v-1", account: str = "account-1", **changes: Any) -> dict[str, Any]:
    """Gives a corpus line as an exported verdict."""
    return row | {"format": FORMAT, "id": deal_id, "meta": {"account": account, "verdict": "change"}} | changes


def write(folder: Path, *rows: object) -> Path:
    path = folder / "verdicts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_verdicts_are_read_as_labelled_deals(tmp_path: Path, make_note_row: Rows) -> None:
    (deal,) = read_verdicts(write(tmp_path, judged(make_note_row())))
    assert (deal.deal.id, deal.labels.primary, deal.group) == ("v-1", "price", "verdicts:account-1")
    assert deal.note == deal.labels


def test_no_account_stands_on_both_sides(tmp_path: Path, make_note_row: Rows) -> None:
    rows = [judged(make_note_row(), f"v-{at}", f"account-{at // 3}") for at in range(60)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps(make_note_row()) + "\n")
    material = corpus_material([corpus], TrainConfig(held_out=0.4), write(tmp_path, *rows))
    sides = [{one.group for one in side if one.batch == "verdicts"} for side in (material.learn, material.held_out)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert (material.verdicts, len(material.learn) + len(material.held_out)) == (60, 61)


def test_verdicts_change_the_digest_of_a_run(tmp_path: Path, make_note_row: Rows) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps(make_note_row()) + "\n")
    alone = corpus_material([corpus], TrainConfig())
    beside = corpus_material([corpus], TrainConfig(), write(tmp_path, judged(make_note_row())))
    assert (alone.digest == beside.digest, alone.verdicts) == (False, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"format": "lossnlp-verdicts/9"},
            r"line 2, field 'format': is 'lossnlp-verdicts/9', not 'lossnlp-verdicts/1'",
        ),
        ({"format": None}, "line 2, field 'format': is None"),
        ({"labels": {"reasons": ["price"]}}, "line 2, field 'labels.primary': Field required"),
        ({"documents": []}, "line 2, field 'documents'"),
        ({"documents": [{"id": "t", "kind": "rep_note"}]}, "line 2, field 'documents.0'"),
        ({"labels": None}, "line 2, field 'labels'"),
        ({"deal": "x"}, "line 2: a field is of another kind"),
    ],
)
def test_each_broken_line_is_named(tmp_path: Path, make_note_row: Rows, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path, judged(make_note_row()), judged(make_note_row(), "v-2", **changes))
    with pytest.raises(CorpusError, match=rf"verdicts\.jsonl, {message}"):
        read_verdicts(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"reasons": ["price", "weather"]}, "'labels.reasons': 'weather' is no reason"),
        ({"reasons": ["competitor", "price"]}, "'labels.reasons': the primary reason does not stand first"),
        ({"primary": "unknown", "reasons": ["unknown", "price"]}, "'labels.reasons': 'unknown' stands beside"),
        ({"meddpicc": {"money": "gap"}}, "'labels.meddpicc': 'money' is no element"),
        ({"evidence": {"price": ["40% lower"]}}, "'labels.evidence.price': a quote does not stand"),
        ({"revisit": "next year"}, "'labels.revisit': a quote does not stand"),
        ({"winback": "perhaps"}, "'labels.winback'"),
    ],
)
def test_each_broken_label_is_named(tmp_path: Path, make_note_row: Rows, labels: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=rf"line 1, field {message}"):
        read_verdicts(write(tmp_path, judged(make_note_row(**labels))))


@pytest.mark.parametrize(("text", "message"), [("{", "line 1: is not JSON"), ("[1]", "line 1, field 'format'")])
def test_what_is_no_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "verdicts.jsonl").write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_verdicts(tmp_path / "verdicts.jsonl")


def test_a_deal_judged_in_two_lines_is_refused(tmp_path: Path, make_note_row: Rows) -> None:
    with pytest.raises(CorpusError, match="line 2, field 'id': stands in an earlier line"):
        read_verdicts(write(tmp_path, judged(make_note_row()), judged(make_note_row())))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.jsonl cannot be read"):
        read_verdicts(tmp_path / "none.jsonl")


def test_note_and_call_judged_as_one_teach_the_whole(make_call_row: Rows, maker: ExampleMaker) -> None:
    deal = labelled_deal(judged(make_call_row(), sources={"note": None, "buyer": None}))
    (view,) = maker.make(deal).views
    assert view.sources == (True, True)
    assert len(view.members) == maker.make(deal).n_segments


def test_deals_judged_as_one_count_among_calls(make_call_row: Rows, make_note_row: Rows) -> None:
    whole = labelled_deal(judged(make_call_row(), sources={"note": None, "buyer": None}))
    note = labelled_deal(judged(make_note_row()))
    groups = by_group([Judged(whole, None), Judged(note, None)])  # type: ignore[arg-type]  # only the deals are looked at
    assert {name: len(found) for name, found in groups.items()} == {"all": 2, "notes": 1, "calls and mails": 1}


def test_card_counts_the_verdicts(tmp_path: Path) -> None:
    manifest = read_bundle(find_default_bundle()).manifest
    record = RunRecord(TrainConfig(), 90, 10, {}, verdicts=12)
    write_card(tmp_path, manifest=manifest, calibration=Calibration(), record=record, measured=Measured({}))
    assert (
        "10 held out for calibration and evaluation; 12 of them are verdicts"
        in (tmp_path / "MODEL_CARD.md").read_text()
    )
