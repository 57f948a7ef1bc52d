from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.corpus import CorpusError, corpus_files, labelled_deal, read_corpus, split_held_out
from training.corpus_check import find_copies, find_faults, find_near_duplicates

NOTE = "Lost to Gong on price, 30% lower, and nobody in the plant would fight for us any more."


def row(deal_id: str = "n-1", text: str = NOTE, **labels: object) -> dict[str, object]:
    known = {
        "primary": "price",
        "reasons": ["price"],
        "evidence": {"price": "30% lower"},
        "attribution": "external_only",
    }
    return {"id": deal_id, "documents": [{"id": "text", "kind": "rep_note", "text": text}], "labels": known | labels}


def faults(**labels: object) -> str:
    return "; ".join(fault.message for fault in find_faults([labelled_deal(row(**labels))]))


def test_sound_deal_has_no_faults() -> None:
    assert faults() == ""


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"evidence": {"price": "40% lower"}}, "does not stand in the text"),
        ({"evidence": {}}, "no evidence for price"),
        ({"reasons": ["competitor", "price"]}, "does not stand first"),
        ({"reasons": ["price", "weather"]}, "no such reason"),
        ({"primary": "unknown", "reasons": ["unknown", "price"]}, "stands beside"),
        ({"meddpicc": {"money": "gap"}}, "no such element"),
        ({"competitors": ["Gong"]}, "competitor_roles"),
        ({"revisit": "next year"}, "revisit"),
    ],
)
def test_each_broken_rule_is_named(labels: dict[str, object], message: str) -> None:
    assert message in faults(**labels)


def test_twin_ids_are_a_fault() -> None:
    twins = [labelled_deal(row()), labelled_deal(row())]
    assert "the id stands twice" in [fault.message for fault in find_faults(twins)]


def test_nearly_same_texts_are_found() -> None:
    deals = [
        labelled_deal(row("a")),
        labelled_deal(row("b", NOTE + " Sad.")),
        labelled_deal(row("c", "30% lower, that was it")),
    ]
    assert list(find_near_duplicates(deals)) == [("a", "b")]


def test_copies_of_evaluation_deals_are_found() -> None:
    assert list(find_copies([labelled_deal(row("a"))], [labelled_deal(row("held"))])) == [("a", "held")]


def test_bad_line_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(json.dumps(row()) + "\n" + json.dumps({"id": "x"}) + "\n")
    with pytest.raises(CorpusError, match=r"one\.jsonl, line 2"):
        read_corpus([tmp_path / "one.jsonl"])


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no"):
        corpus_files(tmp_path)


def test_split_ignores_order_and_keeps_pairs() -> None:
    deals = [labelled_deal(row(f"n-{n}") | {"meta": {"pair": f"p{n // 2}"}}) for n in range(60)]
    learn, held_out = split_held_out(deals, share=0.3, seed=1)
    _, again = split_held_out(reversed(deals), share=0.3, seed=1)
    assert {one.deal.id for one in held_out} == {one.deal.id for one in again}
    assert not {one.group for one in learn} & {one.group for one in held_out}


def test_shipped_corpus_keeps_every_rule() -> None:
    deals = read_corpus(corpus_files())
    assert list(find_faults(deals)) == []
    assert list(find_near_duplicates(deals)) == []


def test_shipped_corpus_has_whole_calls() -> None:
    whole = [one for one in read_corpus(corpus_files()) if one.note is not None and one.buyer is not None]
    assert len(whole) >= 80
