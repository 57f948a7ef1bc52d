from __future__ import annotations

from itertools import pairwise

import pytest

from lossnlp.deal import Document
from lossnlp.transcripts import SpokenTurn, read_turns

HOSTILE = [":", " ", "\n", "a:\n", "<v a>", "00:00 ", "-->\n", "A: ", "(", "\x00", "Dana Ortiz\n", ". Aa: "]


def call(text: str) -> Document:
    return Document(id="call", kind="call_transcript", text=text)


def spoken(text: str) -> list[tuple[str | None, str]]:
    return [(turn.speaker, text[turn.start : turn.end]) for turn in read_turns(call(text))]


@pytest.mark.parametrize(
    "text",
    [
        "Dana Ortiz: Hi there.\nMark: Hello.\nDana Ortiz: Bye.",
        "[00:12:31] Dana Ortiz: Hi there.\n[00:12:35] Mark: Hello.\n[00:12:39] Dana Ortiz: Bye.",
        "00:12:31 Dana Ortiz: Hi there.\n00:12:35 Mark: Hello.\n00:12:39 Dana Ortiz: Bye.",
        "Dana Ortiz [00:12]: Hi there.\nMark [00:15]: Hello.\nDana Ortiz [00:19]: Bye.",
        "Dana Ortiz: [00:12] Hi there.\nMark: [00:15] Hello.\nDana Ortiz: [00:19] Bye.",
        "Dana Ortiz  0:04\nHi there.\n\nMark  0:09\nHello.\n\nDana Ortiz  0:12\nBye.\n",
        "0:04 | Dana Ortiz\nHi there.\n\n0:09 | Mark\nHello.\n\n0:12 | Dana Ortiz\nBye.",
        "Dana Ortiz\n00:00:04\nHi there.\nMark\n00:00:09\nHello.\nDana Ortiz\n00:00:12\nBye.",
        "00:00:04\nDana Ortiz\nHi there.\n00:00:09\nMark\nHello.\n00:00:12\nDana Ortiz\nBye.",
        "Dana Ortiz   0 minutes 4 seconds\nHi there.\nMark   1 minute 9 seconds\nHello.\nDana Ortiz   2 minutes\nBye.",
        "Dana Ortiz  10:42 AM\nHi there.\nMark  10:43 AM\nHello.\nDana Ortiz  10:44 AM\nBye.",
        "Dana Ortiz\nHi there.\n\nMark\nHello.\n\nDana Ortiz\nBye.",
        "00:04\tDana Ortiz\tHi there.\n00:09\tMark\tHello.\n00:12\tDana Ortiz\tBye.",
        "**Dana Ortiz:** Hi there.\n\n**Mark:** Hello.\n\n**Dana Ortiz:** Bye.",
        "\ufeffDana Ortiz:\u00a0Hi there.\r\n\r\nMark:\tHello.\x00\r\nDana Ortiz: Bye.\r\n",
        "Dana Ortiz: Hi there.\rMark: Hello.\rDana Ortiz: Bye.",
    ],
)
def test_common_exports_give_the_same_turns(text: str) -> None:
    assert spoken(text) == [("Dana Ortiz", "Hi there."), ("Mark", "Hello."), ("Dana Ortiz", "Bye.")]


@pytest.mark.parametrize(
    "label",
    [
        "Dana Ortiz (Nordwind)",
        "Dana Ortiz - Nordwind",
        "Ortiz, Dana",
        "Speaker 1",
        "spk_0",
        "Q",
        "DANA",
        "田中",
    ],
)
def test_label_is_given_exactly_as_written(label: str) -> None:
    text = f"{label}: so, the thing is: price.\nA: yes\n{label}: right\nA: bye"
    assert {turn.speaker for turn in read_turns(call(text))} == {label, "A"}


def test_names_in_lower_case_are_read() -> None:
    text = "dana: hi\nmark: hello, one thing: budget\ndana: ok\nmark: bye"
    assert [speaker for speaker, _ in spoken(text)] == ["dana", "mark", "dana", "mark"]


def test_colon_inside_speech_names_nobody() -> None:
    text = "Dana: So I think\nthe thing is: price.\nPrice: 40k.\nHonestly: no, honestly.\nMark: ok\nDana: right"
    assert [speaker for speaker, _ in spoken(text)] == ["Dana", "Mark", "Dana"]


def test_untimed_colon_in_timed_call_is_speech() -> None:
    text = "Dana  0:04\nTwo points.\nBudget: none.\nChampion: left.\nMark  0:09\nI see.\nDana  0:12\nYes."
    assert spoken(text)[0] == ("Dana", "Two points.\nBudget: none.\nChampion: left.")


def test_clock_inside_speech_opens_no_turn() -> None:
    text = "Dana: when?\n10:30 works for me\nMark: 12:30 is better\nDana: ok"
    assert spoken(text) == [("Dana", "when?\n10:30 works for me"), ("Mark", "12:30 is better"), ("Dana", "ok")]


def test_speaker_with_one_turn_is_kept() -> None:
    text = "Dana: hi\nMark: hello\nIlse van der Wal: Hi all.\nDana: ok\nMark: so"
    assert ("Ilse van der Wal", "Hi all.") in spoken(text)


def test_timed_lines_without_names_are_unnamed() -> None:
    text = "[00:04] So the thing is: price\n[00:09] Yeah\n[00:12] Honestly: no\n[00:15] Okay then."
    assert spoken(text)[0] == (None, "So the thing is: price")
    assert {speaker for speaker, _ in spoken(text)} == {None}


def test_unnamed_line_among_named_is_unnamed() -> None:
    text = "[00:01] Dana: hi\n[00:02] Mark: yes\n[00:03] [crosstalk]\n[00:04] Dana: ok"
    assert spoken(text)[2] == (None, "[crosstalk]")


def test_text_without_speakers_gives_paragraphs() -> None:
    text = "They liked it.\nThe thing is: price.\n\nIn the end: no."
    assert spoken(text) == [(None, "They liked it.\nThe thing is: price."), (None, "In the end: no.")]


def test_headings_of_notes_are_no_speakers() -> None:
    text = "Drivers: cost of storage\nChampion: left in May\nRivals: Acme\nOutcome: lost\nFuture: maybe"
    assert {speaker for speaker, _ in spoken(text)} == {None}


def test_header_block_is_left_out() -> None:
    text = "Loss interview\nInterviewer: D. Marchetti\nInterviewee: T. Wieczorek\n\nQ: Why?\nA: Price.\nQ: And?\nA: No."
    assert spoken(text)[0] == ("Q", "Why?")


def test_prose_before_first_turn_is_kept() -> None:
    text = "Date: 3 May\n\nThey left us over the price in the end.\n\nQ: Why?\nA: Price.\nQ: And?\nA: No."
    assert spoken(text)[0] == (None, "They left us over the price in the end.")


def test_answers_without_label_are_unnamed() -> None:
    text = "Q: Why did you leave?\nIt was the price.\n\nQ: And then?\nNothing."
    assert spoken(text)[:2] == [("Q", "Why did you leave?"), (None, "It was the price.")]


def test_questions_with_numbers_are_read() -> None:
    text = "Q1. Why?\nA1. Price.\nQ2. And?\nA2. Nothing."
    assert [speaker for speaker, _ in spoken(text)] == ["Q1", "A1", "Q2", "A2"]


def test_lost_line_ends_are_found_again() -> None:
    text = " ".join(f"Dana Ortiz: point {n} is fine. Mark Lee: I see point {n} as well." for n in range(4))
    assert spoken(text)[:2] == [("Dana Ortiz", "point 0 is fine."), ("Mark Lee", "I see point 0 as well.")]


def test_webvtt_voices_and_blocks_are_read() -> None:
    text = (
        "WEBVTT\r\n\r\nNOTE Dana: made by hand\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\n"
        "1\r\n00:01.000 --> 00:02.000\r\n<v Dana Ortiz>Hi <i>there</i>,\r\nMark.</v>\r\n\r\n"
        "00:03.000 --> 00:04.000 align:start\r\n<v Mark>Yes</v> <v Dana Ortiz>No</v>\r\n"
    )
    assert spoken(text) == [("Dana Ortiz", "Hi <i>there</i>,\r\nMark."), ("Mark", "Yes"), ("Dana Ortiz", "No")]


def test_cue_without_name_goes_on() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nDana: we have\n\n00:03.000 --> 00:04.000\n12 plants\n"
    assert spoken(text) == [("Dana", "we have"), ("Dana", "12 plants")]


def test_srt_numbers_are_no_speech() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nDana: Hi\n\n2\n00:00:03,000 --> 00:00:04,000\nMark: in\n2026\n"
    assert spoken(text) == [("Dana", "Hi"), ("Mark", "in\n2026")]


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n00:01 --> 00:02\n<v Dana>Hi\n\n00:00:03,000 --> 00:00:04,000\n<v Mark>Yes\n",
        "1\n00:00:01,000 -> 00:00:02,000\nDana: Hi\n\n2\n00:00:03,000 --> \nMark: Yes\n",
    ],
)
def test_broken_captions_are_read_plainly(text: str) -> None:
    assert spoken(text) == [("Dana", "Hi"), ("Mark", "Yes")]


def test_structured_turns_keep_role_and_index() -> None:
    turns = [{"speaker": "Dana", "role": "buyer", "text": " Hi. "}, {"text": "\x00 "}, {"speaker": " ", "text": "Yes"}]
    document = Document.model_validate({"id": "call", "kind": "call_transcript", "turns": turns})
    assert read_turns(document) == (
        SpokenTurn(speaker="Dana", role="buyer", start=1, end=4, turn=0),
        SpokenTurn(speaker=None, role=None, start=0, end=3, turn=2),
    )


@pytest.mark.parametrize("text", ["", " \n", "\ufeff", "\x00", "WEBVTT\n\n", "1\n"])
def test_empty_documents_do_no_harm(text: str) -> None:
    assert len(read_turns(call(text))) <= 1


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("kind", ["call_transcript", "email_thread"])
def test_hostile_text_keeps_offsets_whole(unit: str, kind: str) -> None:
    text = unit * (60_000 // len(unit))
    turns = read_turns(Document.model_validate({"id": "x", "kind": kind, "text": text}))
    assert all(0 <= turn.start < turn.end <= len(text) for turn in turns)
    assert all(one.end <= other.start for one, other in pairwise(turns))
