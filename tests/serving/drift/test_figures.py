"""Figures of a deal's words: numbers alone, the same for the same words, stored with the assessment or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlalchemy import func, select

from lossnlp.deal import Deal
from serving.drift.figures import BUCKETS, DealFigures, read_figures
from serving.intake import Intake
from serving.store import Database
from serving.tables import AssessmentRow, DealFiguresRow

NOTE = "The buyer chose Rostera because our quote was 30% higher than their budget."


def figures_of(*texts: str, kind: str = "rep_note") -> DealFigures:
    documents = [{"id": str(place), "kind": kind, "text": text} for place, text in enumerate(texts)]
    return read_figures(Deal.from_request({"deal": {"id": "D"}, "documents": documents}))


def test_numbers_and_marks_are_no_words() -> None:
    assert figures_of("Lost: 30 % -- price!").words == 2


def test_unusual_words_are_outside_the_vocabulary() -> None:
    plain, unusual = figures_of("the price was high"), figures_of("the zorblax quxified frimble")
    assert plain.unknown_share == 0.0
    assert unusual.unknown_share == 1.0


def test_text_of_function_words_has_no_share() -> None:
    assert figures_of("it was what it was").unknown_share is None


def test_sources_stand_once_each_in_order() -> None:
    documents = [
        {"id": str(n), "kind": kind, "text": "x"} for n, kind in enumerate(("rep_note", "call_transcript", "rep_note"))
    ]
    deal = Deal.from_request({"deal": {"id": "D"}, "documents": documents})
    assert read_figures(deal).sources == "call_transcript+rep_note"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (NOTE, "en"),
        ("Wir haben den Deal verloren, weil der Preis zu hoch war.", "de"),
        ("Предложение было слишком дорогим", "other_script"),
        ("Preis Budget", "unclear"),
    ],
)
def test_language_is_told(text: str, language: str) -> None:
    assert figures_of(text).language == language


def test_sketch_is_the_same_for_longer_text_of_same_words() -> None:
    short, long = figures_of(NOTE), figures_of(NOTE, NOTE, NOTE)
    assert np.allclose(np.array(short.sketch) / short.content_words, np.array(long.sketch) / long.content_words)


def test_turns_count_as_texts_do() -> None:
    turns = [{"text": half} for half in ("The buyer chose", "Rostera today")]
    request = {"deal": {"id": "D"}, "documents": [{"id": "c", "kind": "call_transcript", "turns": turns}]}
    read = read_figures(Deal.from_request(request))
    assert (read.words, read.sketch) == (5, figures_of("The buyer chose Rostera today").sketch)


def test_figures_are_stored_with_the_assessment(intake: Intake, database: Database) -> None:
    taken = intake.take_deal(Deal.from_request({"id": "D", "text": NOTE}))
    with database.reading() as session:
        row = session.get_one(DealFiguresRow, taken.id)
        assert (row.words, row.sources, row.language, len(row.sketch)) == (12, "rep_note", "en", BUCKETS)


def test_no_word_is_stored(intake: Intake, database: Database) -> None:
    taken = intake.take_deal(Deal.from_request({"id": "D", "text": NOTE}))
    with database.reading() as session:
        row = session.get_one(DealFiguresRow, taken.id)
        stored = json.dumps({column.name: getattr(row, column.name) for column in DealFiguresRow.__table__.columns})
    assert not [word for word in NOTE.casefold().split() if len(word) > 3 and word in stored.replace(taken.id, "")]


def test_repeat_of_a_deal_adds_no_figures(intake: Intake, database: Database) -> None:
    for _ in range(2):
        intake.take_deal(Deal.from_request({"id": "D", "text": NOTE}))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(DealFiguresRow)) == 1


def test_failed_assessment_leaves_no_figures(intake: Intake, database: Database) -> None:
    with pytest.raises(RuntimeError):
        intake.take_deal(Deal.from_request({"id": "D", "text": "explode"}))
    with database.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(row)) for row in (DealFiguresRow, AssessmentRow)]
    assert counts == [0, 0]
