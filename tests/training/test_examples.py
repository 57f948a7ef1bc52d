from __future__ import annotations

from lossnlp.heads import RIVAL_TAGS
from training.corpus import LabelledDeal
from training.examples import IGNORE, Example, ExampleMaker


def words_at(example: Example, rows: list[int]) -> str:
    spans = [span for window in example.windows for span in window.spans]
    segments = example.segments
    return " ".join(segments[example.segment_of[row]].text[spans[row][0] : spans[row][1]] for row in rows)


def test_quotes_become_token_rows(note: LabelledDeal, maker: ExampleMaker) -> None:
    example = maker.make(note)
    slots = [name for name, _ in maker.layout.slots]
    rows = [int(row) for slot, row in example.views[0].evidence if slots[slot] == "price"]
    assert words_at(example, rows) == "30 % lower"


def test_rival_and_revisit_are_tagged(note: LabelledDeal, maker: ExampleMaker) -> None:
    example = maker.make(note)
    won = [row for row, tag in enumerate(example.rival_tags) if RIVAL_TAGS[tag] == "won"]
    assert words_at(example, won).replace(" ", "") == "Gong"
    assert words_at(example, [row for row, tag in enumerate(example.revisit_tags) if tag]) == "in Q 2"


def test_single_note_has_one_view(note: LabelledDeal, maker: ExampleMaker) -> None:
    assert [view.sources for view in maker.make(note).views] == [(True, False)]


def test_deal_with_call_has_three_views(call: LabelledDeal, maker: ExampleMaker) -> None:
    example = maker.make(call)
    assert [view.sources for view in example.views] == [(True, False), (False, True), (True, True)]
    codes = [maker.layout.reasons[int(view.targets["primary"])] for view in example.views]  # type: ignore[arg-type]
    assert codes == ["price", "product_gap", "product_gap"]


def test_buyers_words_have_no_attribution(call: LabelledDeal, maker: ExampleMaker) -> None:
    buyer = maker.make(call).views[1]
    assert buyer.targets["attribution"] == IGNORE
    assert buyer.targets["insufficient_detail"] == IGNORE
