from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossnlp.taxonomy import get_default_taxonomy
from training import candidates
from training.candidates import ToldDeal, find_candidates, read_told, tell
from training.corpus import CorpusError

TENDER = "The tender form was missing a stamp, so the public tender office threw our bid out. {} waited in the hall."
CLOSED = "We close this one, {} knows no more and neither do we, the {} is empty."
NAMES = ["heron", "otter", "maple", "quarry", "lantern", "harbour", "pebble", "thistle", "copper", "meadow", "falcon"]
NAMES += ["cellar", "bridge"]
TAXONOMY = get_default_taxonomy()


def told(n: int = 12, *, is_redacted: bool = True) -> list[ToldDeal]:
    tenders = [ToldDeal(f"t-{name}", TENDER.format(name), None, is_redacted) for name in NAMES[:n]]
    closed = [ToldDeal(f"c-{name}", CLOSED.format(name, other), None, True) for name, other in _pairs()]
    return [*tenders, *closed, ToldDeal("p", "too expensive by a third", "price", True)]


def _pairs() -> list[tuple[str, str]]:
    return [(name, NAMES[(place * 5 + 1) % len(NAMES)]) for place, name in enumerate(NAMES)]


class NoReader:
    """Reads nothing: every deal of the file has a verdict."""

    taxonomy = TAXONOMY

    def assess(self, deal: Any, /) -> Any:
        raise AssertionError(deal.id)


def line(**changes: Any) -> str:
    row = {
        "format": "lossnlp-verdicts/1",
        "id": "D-1",
        "deal": {"closed_at": "2026-11-20"},
        "documents": [{"id": "n", "kind": "rep_note", "text": "no word of why"}],
        "labels": {"primary": "unknown"},
        "meta": {"redacted": True},
    }
    return json.dumps(row | changes)


def test_theme_is_found_with_terms_and_quotes() -> None:
    found = find_candidates(told(), TAXONOMY)
    [theme] = [one for one in found.candidates if one.deals[0].startswith("t-")]
    assert theme.deals == tuple(f"t-{name}" for name in NAMES[:12])
    assert {"tender", "stamp"} & {word for term in theme.terms for word in term.split()}
    assert len(theme.quotes) == 3
    assert all("tender" in quote for quote in theme.quotes)
    assert theme.stability >= candidates.STABLE


def test_same_deals_give_the_same_candidates() -> None:
    assert find_candidates(told(), TAXONOMY) == find_candidates(told(), TAXONOMY)


def test_small_group_is_held_back() -> None:
    found = find_candidates(told(4), TAXONOMY)
    assert not any(deal.startswith("t-") for one in found.candidates for deal in one.deals[:1])
    assert found.held_small >= 1


def test_few_open_deals_give_nothing() -> None:
    found = find_candidates(told()[:6], TAXONOMY)
    assert (found.candidates, found.open) == ((), 6)


def test_nearest_reason_learns_from_judged_deals() -> None:
    judged = [ToldDeal(f"j-{name}", TENDER.format(name), "procurement_legal", True) for name in NAMES]
    found = find_candidates([*told(), *judged], TAXONOMY)
    [theme] = [one for one in found.candidates if one.deals[0].startswith("t-")]
    assert theme.nearest == "procurement_legal"
    assert theme.likeness > 0.9


def test_words_that_are_not_redacted_are_not_quoted() -> None:
    found = find_candidates(told(is_redacted=False), TAXONOMY)
    [theme] = [one for one in found.candidates if one.deals[0].startswith("t-")]
    assert theme.quotes == ()


def test_verdict_that_knows_no_cause_is_open() -> None:
    lines = [line(), line(id="D-2", labels={"primary": "price"}), line(id="D-3", format="lossnlp-open/1"), ""]
    found = list(read_told(lines, NoReader()))
    assert [(one.id, one.reason, one.is_redacted) for one in found] == [
        ("D-1", None, True),
        ("D-2", "price", True),
        ("D-3", None, True),
    ]


@pytest.mark.parametrize(("confidence", "reason"), [(0.9, "price"), (0.4, None)])
def test_request_is_read_by_the_model(confidence: float, reason: str | None) -> None:
    class Reader(NoReader):
        def assess(self, _deal: Any, /) -> Any:
            primary = type("Primary", (), {"code": "price", "confidence": confidence})
            return type("Read", (), {"primary": primary})

    [deal] = read_told(['{"id": "R-1", "text": "too dear"}'], Reader())
    assert (deal.reason, deal.is_redacted) == (reason, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "Line 2: is no deal as JSON"), ("[]", "Line 2: is no deal"), ('{"id": "R"}', "Line 2: Field")],
)
def test_line_that_is_no_deal_is_named(text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        list(read_told([line(), text], NoReader()))


def test_report_names_what_was_held_back() -> None:
    said = tell(find_candidates(told(), TAXONOMY), TAXONOMY)
    assert said.startswith("25 deals without a reason: ")
    assert "12 deals, such as t-heron, t-otter, t-maple; nearest reason: " in said


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot be read"):
        candidates.main([str(tmp_path / "none.jsonl")])
