from __future__ import annotations

import pytest

from lossnlp.deal import Deal
from lossnlp.segments import MAX_SEGMENT_WORDS, clean, read_deal, split_sentences


def note(text: str) -> Deal:
    return Deal.from_request({"id": "d-1", "text": text})


def test_sentences_become_segments_in_order() -> None:
    segments = read_deal(note("Lost to Gong. They were cheaper.\n- CFO said no")).segments
    assert [segment.raw for segment in segments] == ["Lost to Gong.", "They were cheaper.", "- CFO said no"]


@pytest.mark.parametrize(
    "text",
    [
        "Plain words. And more.",
        "KundenÃ¼bersicht fehlt. Preis â€žzu hoch\u201c.",
        "zero\u200bwidth and \x00 NUL. Next\u00a0one.",
        "emoji 😀 first. Then 日本 words.",
        "LOST LOST LOST " * 60,
    ],
)
def test_offsets_point_into_the_raw_text(text: str) -> None:
    for segment in read_deal(note(text)).segments:
        assert text[segment.start : segment.end] == segment.raw
        start, end = segment.raw_span(0, len(segment.text))
        assert segment.start <= start <= end <= segment.end


def test_mojibake_is_read_as_meant() -> None:
    cleaned, offsets = clean("Ã¼ber Budget")
    assert cleaned == "über Budget"
    assert offsets is not None
    assert (offsets[0], offsets[1], offsets[-1]) == (0, 2, 12)


def test_zero_width_marks_keep_exact_offsets() -> None:
    cleaned, offsets = clean("\u200b".join("price too high " * 60))
    assert cleaned == "price too high " * 60
    assert offsets == (*range(0, 1_800, 2), 1_799)


def test_offsets_stay_exact_in_long_sentences() -> None:
    raw = "K\u00c3\u00b6nig won, don\u2019t ask. " * 60
    cleaned, offsets = clean(raw)
    assert offsets is not None
    last = cleaned.rindex("ask")
    assert raw[offsets[last] : offsets[last + 3]] == "ask"


def test_run_on_dictation_is_cut_at_pauses() -> None:
    text = "so they said " + "it was fine and then, " * 40
    lengths = [len(text[start:end].split()) for start, end in split_sentences(text)]
    assert max(lengths) <= MAX_SEGMENT_WORDS
    assert sum(lengths) == len(text.split())


def test_call_turns_keep_speaker_and_role() -> None:
    document = {
        "id": "call",
        "kind": "call_transcript",
        "turns": [
            {"speaker": "Dana", "role": "buyer", "text": "We have no money."},
            {"speaker": "Tom", "role": "rep", "text": "Oh."},
        ],
    }
    segments = read_deal(Deal.from_request({"deal": {"id": "d"}, "documents": [document]})).segments
    assert [(s.speaker, s.role, s.turn, s.start) for s in segments] == [("Dana", "buyer", 0, 0), ("Tom", "rep", 1, 0)]


def test_two_million_marks_are_read_in_pieces() -> None:
    assert sum(end - start for start, end in split_sentences("\u00e9" * 100_000)) == 100_000


def test_endless_runs_of_marks_are_one_word() -> None:
    text = "Price. " + "(" * 3_000 + " then no."
    assert [text[start:end][:6] for start, end in split_sentences(text)] == ["Price.", "(((((("]
