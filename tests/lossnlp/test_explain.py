from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console, Group
from rich.text import Text

from lossnlp.assessment import Assessment, Evidence
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.explain import explained

NOTE = "Lost to Gong on price, 30% lower."


def explained_parts(classifier: LossClassifier, text: str) -> tuple[Assessment, Group]:
    """Gives the assessment of the plain note, its first reason shown by the whole of `text`."""
    deal = Deal.from_request({"id": "d-1", "text": text})
    assessment = classifier.assess(Deal.from_request({"id": "d-1", "text": NOTE}))
    start = text.index("price")
    quotes = [Evidence(document_id="note", start=0, end=len(text), text=text)]
    quotes.append(Evidence(document_id="note", start=start, end=start + 5, text="price"))
    reason = assessment.primary.model_copy(update={"evidence": tuple(quotes)})
    silent = {code: reading.model_copy(update={"evidence": ()}) for code, reading in assessment.meddpicc.items()}
    assessment = assessment.model_copy(update={"reasons": (reason,), "meddpicc": silent})
    return assessment, explained(deal, assessment, classifier.taxonomy)


def marks(group: Group) -> Iterator[str]:
    for part in group.renderables:
        if isinstance(part, Text):
            yield from (part.plain[span.start : span.end] for span in part.spans)


@pytest.mark.parametrize("text", ["[/b] lost on price", "[red]price[/red]", "price \x1b[31m too high"])
def test_marks_of_a_note_stay_text(classifier: LossClassifier, text: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(explained_parts(classifier, text)[1])
    shown = console.file.getvalue()
    assert text.replace("\x1b", " ") in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("text", ["a\r\nb\r\nprice", "\x07\x08\x0b price", "plain price"])
def test_highlight_lies_on_the_quote(classifier: LossClassifier, text: str) -> None:
    assert "price" in list(marks(explained_parts(classifier, text)[1]))
