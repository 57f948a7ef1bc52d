"""Whatever text comes in: every offset that goes out points at it."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossnlp.captions import read_caption_lines
from lossnlp.deal import Deal, Document, Kind
from lossnlp.redaction import Redacted, redact, redact_texts, stands_for
from lossnlp.revisit import find_revisit_phrases
from lossnlp.segments import MAX_SEGMENT_WORDS, clean, read_deal, split_sentences
from lossnlp.signatures import find_signer, read_own_lines
from lossnlp.transcripts import read_turns
from lossnlp.turns import BLANK, find_words, read_lines
from tests.properties.drawn import any_text

_KINDS = get_args(Kind)
_WHOLE = Deal.from_request({"id": "D-1", "text": "Lost on price."})


@given(any_text, st.sampled_from(_KINDS))
def test_turns_are_words_of_the_text_in_order(text: str, kind: Kind) -> None:
    turns = read_turns(Document(id="d", kind=kind, text=text))
    for turn in turns:
        assert 0 <= turn.start < turn.end <= len(text)
        assert find_words(text, turn.start, turn.end) == (turn.start, turn.end)
    for one, after in pairwise(turns):
        assert one.end <= after.start


@given(any_text, st.sampled_from(_KINDS))
def test_speakers_are_named_as_written(text: str, kind: Kind) -> None:
    for turn in read_turns(Document(id="d", kind=kind, text=text)):
        assert turn.speaker is None or turn.speaker.strip(BLANK)
        assert turn.speaker is None or turn.speaker in text


@given(any_text)
def test_caption_lines_stand_in_order(text: str) -> None:
    found = read_caption_lines(text)
    assert all(0 <= line.start < line.end <= len(text) for line in found)
    assert all(one.end <= after.start for one, after in pairwise(found))


@given(any_text, st.sampled_from([None, "Dana Ortiz", "D.", " "]))
def test_own_lines_of_a_mail_are_lines_of_it(text: str, author: str | None) -> None:
    lines = list(read_lines(text))
    own = list(read_own_lines(text, lines, author))
    spans = [(line.start, line.end) for line in lines]
    assert [(line.start, line.end) for line in own] == [
        span for span in spans if span in {(o.start, o.end) for o in own}
    ]
    signer = find_signer(text, lines) if lines else None
    assert signer is None or signer in text


@given(any_text)
def test_sentences_are_short_and_in_order(text: str) -> None:
    slices = list(split_sentences(text))
    assert all(
        len(text[start:end].split()) <= MAX_SEGMENT_WORDS and "\n" not in text[start:end] for start, end in slices
    )
    assert all(one[1] <= after[0] for one, after in pairwise(slices))


@given(any_text)
def test_cleaned_characters_lead_back_in_order(raw: str) -> None:
    text, offsets = clean(raw)
    if offsets is None:
        assert text == raw
    else:
        assert len(offsets) == len(text) + 1
        assert list(offsets) == sorted(offsets)
        assert offsets[0] >= 0
        assert offsets[-1] == len(raw)


@given(any_text, st.sampled_from(_KINDS))
def test_segments_are_slices_of_the_raw_text(text: str, kind: Kind) -> None:
    document = Document(id="d", kind=kind, text=text)
    for segment in read_deal(_WHOLE.model_copy(update={"documents": (document,)})).segments:
        assert segment.raw == text[segment.start : segment.end]
        start, end = segment.raw_span(0, len(segment.text))
        assert segment.start <= start <= end <= segment.end


@given(any_text)
def test_revisit_phrases_lie_within_the_text(text: str) -> None:
    assert all(0 <= start < end <= len(text) for start, end in find_revisit_phrases(text))


def _rest(redacted: Redacted, text: str) -> list[tuple[str, str]]:
    """Gives what stands between the replaced stretches, as kept and as written."""
    kept, written = [0], [0]
    for span in redacted.spans:
        kept += span.redacted
        written += span.raw
    pairs = zip([*kept, len(redacted.text)], [*written, len(text)], strict=True)
    bounds = list(pairs)
    return [(redacted.text[a[0] : b[0]], text[a[1] : b[1]]) for a, b in zip(bounds[::2], bounds[1::2], strict=True)]


@given(any_text)
def test_redaction_leaves_all_else_as_written(text: str) -> None:
    redacted = redact(text)
    assert all(one.end <= after.start for one, after in pairwise(redacted.spans))
    assert all(kept == written for kept, written in _rest(redacted, text))
    assert stands_for(redacted.text, text)


@given(any_text, st.data())
def test_redacted_place_leads_to_raw_and_back(text: str, data: st.DataObject) -> None:
    redacted = redact(text)
    at = data.draw(st.integers(0, len(text)))
    is_inside = any(span.start < at < span.end for span in redacted.spans)
    assert 0 <= redacted.to_redacted(at) <= len(redacted.text)
    if not is_inside:
        assert redacted.to_raw(redacted.to_redacted(at, is_end=True), is_end=True) == at


@given(st.lists(any_text, min_size=1, max_size=3))
def test_text_is_redacted_alike_beside_itself(texts: list[str]) -> None:
    one, *others = redact_texts([*texts, texts[0]])
    assert others[-1].text == one.text


@pytest.mark.parametrize("kind", _KINDS)
def test_endless_marks_are_read_in_order(kind: Kind) -> None:
    text = "> " * 3_000 + "Dana: x\n" * 500 + "<v Dana>" * 500
    turns = read_turns(Document(id="d", kind=kind, text=text))
    assert all(one.end <= after.start for one, after in pairwise(turns))
