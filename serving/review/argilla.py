"""Verdict lines as records of Argilla with suggestions, the settings of their dataset, and its JSON export read back.

Everything is in the form of Argilla's own SDK: records as `rg.Record.to_dict` gives them and `dataset.records.to_json` writes them,
settings as `rg.Settings.from_json` reads them. That export does not tell drafts from answers: filter by `response.status` first.

Source: https://docs.argilla.io/latest/reference/argilla/records/records,
https://docs.argilla.io/latest/how_to_guides/import_export
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossnlp.taxonomy import Taxonomy
from serving.review.annotation import (
    Annotation,
    AnnotationError,
    LabelledSpan,
    Question,
    annotation_of,
    line_of,
    questions_of,
    span_labels,
    told,
)
from serving.review.verdict_lines import VerdictLine

_TEXT, _SPANS = "text", "spans"
_TOOL = "argilla"


def make_settings(taxonomy: Taxonomy) -> dict[str, Any]:
    """Gives the settings of the dataset that the records fit."""
    spans = {
        "name": _SPANS,
        "title": "Words that show it",
        "required": False,
        "settings": {
            "type": "span",
            "field": _TEXT,
            "allow_overlapping": True,
            "options": _options(span_labels(taxonomy)),
        },
    }
    return {
        "guidelines": None,
        "fields": [{"name": _TEXT, "title": "Deal", "required": True, "settings": {"type": "text"}}],
        "questions": [*(_question(one) for one in questions_of(taxonomy)), spans],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def make_record(line: VerdictLine) -> dict[str, Any]:
    """Gives the record of a line; its labels are the suggestions, and what the tool need not show travels in `metadata.line`."""
    shown = annotation_of(line)
    values: dict[str, Any] = {
        name: list(chosen) if name == "reasons" else chosen[0] for name, chosen in shown.choices.items() if chosen
    }
    if shown.spans:
        values[_SPANS] = [{"start": one.start, "end": one.end, "label": one.label} for one in shown.spans]
    return {
        "id": line.id,
        "fields": {_TEXT: shown.text},
        "metadata": {"line": json.dumps(dict(shown.carried))},
        "suggestions": {name: {"value": value, "score": None, "agent": shown.by} for name, value in values.items()},
        "responses": {},
        "vectors": {},
        "status": "pending",
        "_server_id": None,
    }


def read_export(records: object, taxonomy: Taxonomy) -> Iterator[VerdictLine]:
    """Gives the lines of a JSON export; records that nobody has answered yet are left out.

    Args:
        records: The decoded file that `dataset.records.to_json` wrote.
        taxonomy: The labels there are.

    Raises:
        AnnotationError: The file is none, or a record cannot be read; names record and field.
    """
    for number, record in enumerate(records if isinstance(records, list) else [None], start=1):
        if not isinstance(record, dict) or not isinstance(record.get("responses"), dict):
            message = f"Record {number}: has no 'responses'; write the file with dataset.records(...).to_json."
            raise AnnotationError(message, field="responses")
        if record["responses"].get("primary"):
            yield line_of(_read(record, number), taxonomy, tool=_TOOL)


def _question(question: Question) -> dict[str, Any]:
    kind = "multi_label_selection" if question.is_multiple else "label_selection"
    settings = {"type": kind, "options": _options(question.options)}
    is_required = question.name == "primary"
    return {"name": question.name, "title": question.title, "required": is_required, "settings": settings}


def _options(values: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": value, "text": value} for value in values]


def _read(record: Mapping[str, Any], number: int) -> Annotation:
    """Gives what the person chose who answered last."""
    try:
        person = record["responses"]["primary"][-1]["user_id"]
        answers = {
            name: answer["value"]
            for name, given in record["responses"].items()
            for answer in given
            if answer["user_id"] == person and answer["value"] is not None
        }
        spans = [LabelledSpan(one["label"], int(one["start"]), int(one["end"])) for one in answers.pop(_SPANS, [])]
        choices = {name: value if isinstance(value, list) else [value] for name, value in answers.items()}
        return Annotation(record["fields"][_TEXT], choices, spans, json.loads(record["metadata"]["line"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        message = f"Record {number}: {told(error)}; write the file with dataset.records(...).to_json."
        raise AnnotationError(message, field="responses") from None
