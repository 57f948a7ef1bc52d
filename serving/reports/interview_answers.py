"""The answers of a buyer: read out of a form, and written as documents that the model reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lossnlp.deal import Document, Turn
from lossnlp.errors import LossNlpError
from serving.reports.interview_questions import HIGHEST_MARK, QuestionSet

DOCUMENT_ID = "buyer-interview"
MOST_ANSWER_CHARS = 20_000
MOST_PASTED_CHARS = 150_000  # three hours of talk


class InterviewError(LossNlpError):
    """Says which field of an interview cannot be taken."""

    code = "bad_interview"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a buyer has answered.

    Args:
        marks: 1 to 5 by question.
        words: Answers to the open questions, by question.
        pasted: A transcript or notes of the talk, as they are.
        held_on: Day of the interview, or None.
    """

    marks: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    pasted: str = ""
    held_on: date | None = None

    @property
    def has_words(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.words or self.pasted)


def parse_answers(form: Mapping[str, str], asked: QuestionSet, *, today: date) -> Answers:
    """Gives the answers of a form; what is left empty is not answered.

    Args:
        form: Its fields: each question under its id, `pasted` and `held_on`.
        asked: The questions.
        today: The last day on which an interview can have been held.

    Raises:
        InterviewError: Names the field that cannot be taken and how to mend it.
    """
    marks = {mark.id: _mark(mark.id, given) for mark in asked.marks if (given := form.get(mark.id, "").strip())}
    words = {one.id: _text(form, one.id, MOST_ANSWER_CHARS) for one in asked.questions}
    answers = Answers(
        marks=marks,
        words={name: text for name, text in words.items() if text},
        pasted=_text(form, "pasted", MOST_PASTED_CHARS),
        held_on=_day(form.get("held_on", "").strip(), today),
    )
    if not (answers.marks or answers.has_words):
        raise InterviewError("Answer at least one question, or paste what was said.", field="pasted")
    return answers


def _mark(name: str, given: str) -> int:
    if given not in {str(value) for value in range(1, HIGHEST_MARK + 1)}:
        raise InterviewError(f"A mark is 1 to {HIGHEST_MARK}; choose one, or none.", field=name)
    return int(given)


def _text(form: Mapping[str, str], name: str, most: int) -> str:
    text = form.get(name, "").replace("\r\n", "\n").replace("\x00", "").strip()
    if len(text) > most:
        raise InterviewError(f"This holds at most {most:,} characters; shorten it.", field=name)
    return text


def _day(given: str, today: date) -> date | None:
    if not given:
        return None
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise InterviewError("Give the day as YYYY-MM-DD, such as 2026-11-20.", field="held_on") from None
    if day > today:
        raise InterviewError("The interview lies in the future; give the day on which it was held.", field="held_on")
    return day


def documents_of(answers: Answers, asked: QuestionSet) -> tuple[Document, ...]:
    """Gives the interview as documents: answers as turns behind their questions, what was pasted as it is.

    Marks are no words, and are not read. An interview of the same day replaces the one before it; of two without a day each stands
    for itself.
    """
    name = f"{DOCUMENT_ID}-{answers.held_on or _digest(answers)}"
    shared: dict[str, Any] = {"kind": "buyer_interview", "recorded_at": answers.held_on}
    turns = [
        turn
        for question in asked.questions
        if (text := answers.words.get(question.id))
        for turn in (
            Turn(speaker="Interviewer", role="other", text=question.text),
            Turn(speaker="Buyer", role="buyer", text=text),
        )
    ]
    found = [Document(id=name, turns=tuple(turns), **shared)] if turns else []
    if answers.pasted:
        found.append(Document(id=f"{name}-pasted", text=answers.pasted, **shared))
    return tuple(found)


def _digest(answers: Answers) -> str:
    """Gives what tells the words of an interview from others, the same each time they are entered."""
    words = "\x00".join((*(part for answer in sorted(answers.words.items()) for part in answer), answers.pasted))
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:12]
