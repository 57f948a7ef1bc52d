"""Evidence that a person marked in a page: checked against the documents, with who said it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from lossnlp.assessment import Evidence, Span, Speaker
from lossnlp.deal import Document, Frozen
from serving.review.highlight import Block, Mark, show_documents
from serving.review.verdict import VerdictError

_MOST_MARKS = 200
_MOST_CHARS = 2_000


class _Marked(Frozen):
    label: Annotated[str, Field(max_length=100)]
    document_id: Annotated[str, Field(max_length=200)]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    text: Annotated[str, Field(min_length=1, max_length=_MOST_CHARS)]
    turn: Annotated[int, Field(ge=0)] | None = None


_MARKS = TypeAdapter(Annotated[list[_Marked], Field(max_length=_MOST_MARKS)])


def parse_marks(text: str) -> tuple[Mark, ...]:
    """Gives the marks that a page sends as JSON; none for an empty text.

    Raises:
        VerdictError: It is none of what our page sends, or a mark is longer than 2,000 characters.
    """
    try:
        marked = _MARKS.validate_json(text or "[]")
    except ValidationError:
        message = f"Marked words could not be read; mark at most {_MOST_CHARS:,} characters at a time."
        raise VerdictError(message, field="marked") from None
    return tuple(Mark(one.label, Span.model_validate(one.model_dump(exclude={"label"}))) for one in marked)


def evidence_by_label(
    marks: Sequence[Mark], documents: Sequence[Document], speakers: Sequence[Speaker] = ()
) -> dict[str, tuple[Evidence, ...]]:
    """Gives the evidence of each label.

    Args:
        marks: What a person marked.
        documents: The words that were assessed; none where they are not at hand.
        speakers: Roles that were read for speaker labels.

    Raises:
        VerdictError: The words of a mark do not stand at its place.
    """
    lit = [
        (document.id, block)
        for document in show_documents(documents, marks, speakers)
        for block in document.blocks
        if isinstance(block, Block)
    ]
    found: dict[str, tuple[Evidence, ...]] = {}
    for mark in marks:
        _require_there(mark.span, documents)
        found[mark.label] = (*found.get(mark.label, ()), _evidence(mark.span, lit))
    return found


def _evidence(span: Span, blocks: Sequence[tuple[str, Block]]) -> Evidence:
    who = next(_blocks_at(span, blocks), None)
    said = {"speaker": who.speaker, "role": who.role} if who else {}
    return Evidence.model_validate(span.model_dump() | said)


def _blocks_at(span: Span, blocks: Sequence[tuple[str, Block]]) -> Iterator[Block]:
    for document_id, block in blocks:
        is_here = (document_id, block.turn) == (span.document_id, span.turn)
        if is_here and block.is_speech and block.start < span.end and span.start < block.start + len(block.text):
            yield block


def _require_there(span: Span, documents: Sequence[Document]) -> None:
    texts = (dict(document.numbered_texts) for document in documents if document.id == span.document_id)
    text = next(texts, {}).get(span.turn)
    if text is None or text[span.start : span.end] != span.text:
        message = (
            "Words that you marked do not stand in the documents any more; open the deal again and mark them anew."
        )
        raise VerdictError(message, field="marked")
