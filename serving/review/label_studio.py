"""Verdict lines as tasks of Label Studio with pre-annotations, the labelling interface for them, and its JSON export read back.

Source: https://labelstud.io/guide/predictions (tasks with predictions), https://labelstud.io/guide/task_format (the JSON export),
https://labelstud.io/tags/ (the interface). Offsets count code points: https://github.com/HumanSignal/label-studio/pull/1559
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from lossnlp.taxonomy import Taxonomy
from serving.review.annotation import (
    Annotation,
    AnnotationError,
    LabelledSpan,
    annotation_of,
    line_of,
    questions_of,
    span_labels,
    told,
)
from serving.review.verdict_lines import VerdictLine

_TEXT, _SPANS = "text", "spans"
_TOOL = "label_studio"
_COLOURS = ("#2b6cb0", "#b7791f", "#2f855a", "#9b2c2c", "#6b46c1", "#2c7a7b", "#97266d", "#4a5568")


def make_interface(taxonomy: Taxonomy) -> str:
    """Gives the XML of the labelling interface that the tasks fit."""
    view = ET.Element("View")
    labels = ET.SubElement(view, "Labels", name=_SPANS, toName=_TEXT)
    for number, label in enumerate(span_labels(taxonomy)):
        ET.SubElement(labels, "Label", value=label, background=_COLOURS[number % len(_COLOURS)])
    ET.SubElement(view, "Text", name=_TEXT, value="$text")
    for question in questions_of(taxonomy):
        ET.SubElement(view, "Header", value=question.title)
        choice = "multiple" if question.is_multiple else "single"
        required = "true" if question.name == "primary" else "false"
        choices = ET.SubElement(
            view, "Choices", name=question.name, toName=_TEXT, choice=choice, required=required, showInline="true"
        )
        for option in question.options:
            ET.SubElement(choices, "Choice", value=option)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def make_task(line: VerdictLine) -> dict[str, Any]:
    """Gives the task of a line; its labels are the pre-annotation, and what the tool need not show travels in `data.line`."""
    shown = annotation_of(line)
    result = [*_choices(shown.choices), *_labels(shown)]
    prediction = {"model_version": shown.by, "result": result}
    return {"data": {"text": shown.text, "line": dict(shown.carried)}, "predictions": [prediction]}


def read_export(tasks: object, taxonomy: Taxonomy) -> Iterator[VerdictLine]:
    """Gives the lines of a JSON export; tasks that nobody has labelled yet are left out.

    Args:
        tasks: The decoded file: Label Studio's format `JSON`, not `JSON-MIN`.
        taxonomy: The labels there are.

    Raises:
        AnnotationError: The file is none, or a task cannot be read; names task and field.
    """
    for number, task in enumerate(tasks if isinstance(tasks, list) else [None], start=1):
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict) or "annotations" not in task:
            message = f"Task {number}: has no 'data' and 'annotations'; export the project of our tasks as JSON."
            raise AnnotationError(message, field="annotations")
        annotation = _find_newest(task["annotations"])
        if annotation is not None:
            yield line_of(_read(task["data"], annotation, number), taxonomy, tool=_TOOL)


def _choices(choices: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for name, chosen in choices.items():
        value = {"choices": list(chosen)}
        yield {"id": name, "from_name": name, "to_name": _TEXT, "type": "choices", "value": value}


def _labels(shown: Annotation) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(shown.spans):
        words = shown.text[span.start : span.end]
        value = {"start": span.start, "end": span.end, "text": words, "labels": [span.label]}
        yield {"id": f"span-{number}", "from_name": _SPANS, "to_name": _TEXT, "type": "labels", "value": value}


def _find_newest(annotations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Gives the annotation that was changed last; skipped ones do not count."""
    given = [one for one in annotations if not one.get("was_cancelled") and one.get("result")]
    return max(given, key=lambda one: str(one.get("updated_at") or one.get("created_at") or ""), default=None)


def _read(data: Mapping[str, Any], annotation: Mapping[str, Any], number: int) -> Annotation:
    choices: dict[str, Sequence[str]] = {}
    spans: list[LabelledSpan] = []
    try:
        text, carried = str(data["text"]), data["line"]
        for one in annotation["result"]:
            value = one["value"]
            if one["type"] == "choices":
                choices[one["from_name"]] = value["choices"]
            elif one["type"] == "labels":
                start, end = _place(text, value)
                spans += [LabelledSpan(label, start, end) for label in value["labels"]]
    except (KeyError, TypeError, ValueError) as error:
        message = f"Task {number}: {told(error)}; export the project of our tasks as JSON."
        raise AnnotationError(message, field="result") from None
    return Annotation(text, choices, spans, carried)


def _place(text: str, value: Mapping[str, Any]) -> tuple[int, int]:
    """Gives the place of a span; where offsets and words differ, as they did before code points were counted, the words tell."""
    start, end, words = int(value["start"]), int(value["end"]), value.get("text")
    if words and text[start:end] != words and words in text:
        start = min((at for at in _places(text, words)), key=lambda at: abs(at - start))
        end = start + len(words)
    return start, end


def _places(text: str, words: str) -> Iterator[int]:
    at = text.find(words)
    while at >= 0:
        yield at
        at = text.find(words, at + 1)
