from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from training.corpus import CorpusError, LabelledDeal, labelled_deal
from training.label_errors import find_suspicions, write_suspicions

WORDS = {
    "price": (
        "too expensive",
        "the price was far too high",
        "our price was above their offer",
        "cheaper elsewhere on price",
    ),
    "timing": (
        "not the right time",
        "the timing slipped to next year",
        "they put it off, bad timing",
        "wrong time for them",
    ),
}


def deal(number: int, text: str, reason: str, **meta: str) -> LabelledDeal:
    labels = {"primary": reason, "reasons": [reason], "winback": "open", "attribution": "none"}
    documents = [{"id": "text", "kind": "rep_note", "text": f"{text}."}]
    return labelled_deal({"id": f"d-{number}", "documents": documents, "labels": labels, "meta": meta})


def corpus(wrong: int | None = None) -> list[LabelledDeal]:
    """Gives 24 plain deals; the reason of one is the other one's."""
    made = [(text, reason) for _ in range(3) for reason, texts in WORDS.items() for text in texts]
    other = {"price": "timing", "timing": "price"}
    return [deal(at, text, other[reason] if at == wrong else reason) for at, (text, reason) in enumerate(made)]


def test_a_wrong_label_is_found_first() -> None:
    worst = next(one for one in find_suspicions(corpus(wrong=5), folds=3) if one.field == "primary")
    assert (worst.id, worst.given, worst.suggested) == ("d-5", "price", "timing")
    assert 0 <= worst.quality < 0.5


def test_right_labels_raise_no_suspicion() -> None:
    assert find_suspicions(corpus(), folds=3) == []


def test_left_out_reasons_are_judged_too() -> None:
    fields = {(one.field, one.given, one.suggested) for one in find_suspicions(corpus(wrong=5), folds=3)}
    assert ("reasons.timing", "no", "yes") in fields
    assert ("reasons.price", "yes", "no") in fields


def test_rare_values_are_not_judged() -> None:
    rare = deal(99, "no money was left", "budget")
    assert all(one.id != "d-99" or one.field != "primary" for one in find_suspicions([*corpus(), rare], folds=3))


def test_values_of_few_groups_are_not_judged() -> None:
    same = [deal(at, "no money was left", "budget", account="account-1") for at in range(90, 99)]
    found = find_suspicions([*corpus(), *same], folds=3)
    assert all(one.field not in ("primary", "reasons.budget") or one.given != "budget" for one in found)


def test_labels_of_one_group_raise_nothing() -> None:
    other = [deal(at, "the price was too high", "price") for at in range(20)]
    same = [deal(at, "no money was left", "budget", account="account-1") for at in range(90, 99)]
    assert find_suspicions([*other, *same], folds=3) == []


def test_too_few_deals_are_refused() -> None:
    with pytest.raises(CorpusError, match="too few for 3 parts"):
        find_suspicions(corpus()[:2], folds=3)


def test_one_account_is_too_few_groups() -> None:
    same = [deal(at, "too expensive", "price", account="account-1") for at in range(20)]
    with pytest.raises(CorpusError, match="too few"):
        find_suspicions(same, folds=3)


def test_suspicions_are_written_line_by_line(tmp_path: Path) -> None:
    found = find_suspicions(corpus(wrong=5), folds=3)
    write_suspicions(found, tmp_path / "runs" / "errors.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "runs" / "errors.jsonl").read_text().splitlines()]
    assert rows == [asdict(one) for one in found]
    assert set(rows[0]) == {"id", "field", "given", "suggested", "quality"}
