from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer

from lossnlp.bundle import find_default_bundle
from lossnlp.deal import Deal
from lossnlp.segments import Segment, read_deal
from lossnlp.windows import WindowMaker, read_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return read_tokenizer(find_default_bundle() / "tokenizer.json")


def segments_of(text: str, kind: str = "rep_note") -> tuple[Segment, ...]:
    document = {"id": "d", "kind": kind, "text": text}
    return read_deal(Deal.from_request({"deal": {"id": "1"}, "documents": [document]})).segments


def test_short_note_is_one_window(tokenizer: Tokenizer) -> None:
    windows = list(WindowMaker(tokenizer).make(segments_of("Lost to Gong. Too slow.")))
    assert len(windows) == 1
    assert set(windows[0].segments.tolist()) == {0, 1}


def test_every_token_is_owned_exactly_once(tokenizer: Tokenizer) -> None:
    segments = segments_of("They liked it but the price was wrong. " * 80)
    windows = list(WindowMaker(tokenizer, max_tokens=128).make(segments))
    owned = np.concatenate([window.segments for window in windows])
    expected = [len(tokenizer.encode(segment.text, add_special_tokens=False).ids) for segment in segments]
    assert np.bincount(owned).tolist() == expected
    assert (np.diff(owned) >= 0).all()


def test_no_window_is_longer_than_allowed(tokenizer: Tokenizer) -> None:
    segments = segments_of("x" * 9_000 + " and so on. " * 300)
    assert max(len(window.ids) for window in WindowMaker(tokenizer, max_tokens=128).make(segments)) <= 128


def test_speaker_change_puts_a_marker(tokenizer: Tokenizer) -> None:
    text = "Dana Ortiz: We have no budget.\nTom Hill: I see.\nDana Ortiz: Sorry.\nTom Hill: Bye."
    window = next(iter(WindowMaker(tokenizer).make(segments_of(text, "call_transcript"))))
    assert len(window.ids) > len(window.owned) + 2


def test_spans_lead_back_to_the_words(tokenizer: Tokenizer) -> None:
    segments = segments_of("Lost to Gong.")
    window = next(iter(WindowMaker(tokenizer).make(segments)))
    start, end = window.spans[2]
    assert segments[0].text[start:end].startswith("Gon")


def test_windows_of_many_deals_are_their_own(tokenizer: Tokenizer) -> None:
    maker = WindowMaker(tokenizer, max_tokens=128)
    deals = [
        segments_of("No budget."),
        segments_of("Dana: No.\nTom: I see. " * 90, "call_transcript"),
        segments_of("a. " * 2_500),
    ]
    together = maker.make_many(deals)
    for windows, segments in zip(together, deals, strict=True):
        assert [window.ids.tolist() for window in windows] == [window.ids.tolist() for window in maker.make(segments)]
        assert np.bincount(np.concatenate([window.segments for window in windows]))[: len(segments)].all()
