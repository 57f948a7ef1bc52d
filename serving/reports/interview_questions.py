"""The question set of buyer interviews: read once from its file, and given out for people and machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import yaml

from lossnlp.deal import Frozen

_COLUMNS = ("version", "id", "kind", "question", "low", "high", "reasons", "elements")
HIGHEST_MARK = 5


class OpenQuestion(Frozen):
    """A question that is answered in the buyer's own words.

    Args:
        id: Never used for another question.
        text: As it is asked.
        reasons: Codes of the loss reasons that an answer speaks to.
        elements: Codes of the MEDDPICC elements that it speaks to.
    """

    id: str
    text: str
    reasons: tuple[str, ...]
    elements: tuple[str, ...]


class MarkQuestion(OpenQuestion):
    """A question that is answered with a mark, 1 to 5; what the two ends mean stands beside it."""

    low: str
    high: str


class QuestionSet(Frozen):
    """The questions of one version, in the order in which they are asked."""

    version: str
    intro: str
    marks: tuple[MarkQuestion, ...]
    questions: tuple[OpenQuestion, ...]


@cache
def get_question_set() -> QuestionSet:
    """Gives the question set that ships."""
    text = resources.files("serving.reports").joinpath("interview_questions.yaml").read_text(encoding="utf-8")
    return QuestionSet.model_validate(yaml.safe_load(text))


def questions_as_csv(asked: QuestionSet) -> str:
    """Gives the questions as CSV, one a line; reasons and elements with semicolons between them."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(asked))
    return table.getvalue()


def _rows(asked: QuestionSet) -> Iterator[list[str]]:
    for mark in asked.marks:
        yield _row(asked, mark, kind=f"mark 1-{HIGHEST_MARK}", ends=(mark.low, mark.high))
    for question in asked.questions:
        yield _row(asked, question, kind="open", ends=("", ""))


def _row(asked: QuestionSet, question: OpenQuestion, *, kind: str, ends: tuple[str, str]) -> list[str]:
    codes = (";".join(question.reasons), ";".join(question.elements))
    return [asked.version, question.id, kind, question.text, *ends, *codes]


def questions_as_json(asked: QuestionSet) -> dict[str, Any]:
    """Gives the questions as JSON, with the marks that can be given."""
    return {**asked.model_dump(mode="json"), "mark_values": list(range(1, HIGHEST_MARK + 1))}
