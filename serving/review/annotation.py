"""A verdict line as annotation tools show it, and back again: one text with all documents, questions with choices, labelled spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from lossnlp.assessment import Attribution, GapState, RivalRole, WinbackState
from lossnlp.deal import Document, Frozen
from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import NO_CAUSE, Taxonomy
from serving.review.verdict_lines import FORMAT, LineLabels, VerdictLine

_ELEMENT, _RIVAL, _REVISIT, _NOT_MENTIONED = "meddpicc.", "rival.", "revisit", "not_mentioned"
_OTHER_QUOTES = ("winback", "external_only", "rep_buyer_conflict")
_YES_NO: dict[bool | None, str] = {True: "yes", False: "no", None: "na"}


class AnnotationError(LossNlpError):
    """Says which item of an annotation tool's file cannot be read back, and why."""

    code = "bad_annotation"


class Question(Frozen):
    """A question with choices.

    Args:
        name: As the tool's files name it.
        title: As people see it.
        options: The choices.
        is_multiple: Whether several may be chosen.
    """

    name: str
    title: str
    options: tuple[str, ...]
    is_multiple: bool = False


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """A stretch of the joined text, in code points, that shows a label."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a tool shows of a line, or what came back.

    Args:
        text: The joined text.
        choices: Chosen options by question.
        spans: Labelled stretches.
        carried: The line without its labels, as JSON; the tool hands it back untouched.
        by: Who chose: a kind of verdict, or the model's version.
    """

    text: str
    choices: Mapping[str, Sequence[str]]
    spans: Sequence[LabelledSpan]
    carried: Mapping[str, Any]
    by: str = ""


def questions_of(taxonomy: Taxonomy) -> tuple[Question, ...]:
    """Gives the questions of a deal; the primary reason is asked apart from the others."""
    elements = [
        Question(name=_question_of(code), title=f"{code.replace('_', ' ').capitalize()}", options=get_args(GapState))
        for code in taxonomy.element_codes
    ]
    return (
        Question(name="primary", title="The reason that decided", options=taxonomy.codes),
        Question(name="reasons", title="All reasons that apply", options=taxonomy.codes, is_multiple=True),
        Question(name="attribution", title="Whom the note blames", options=(*get_args(Attribution), "na")),
        Question(name="insufficient_detail", title="The note says too little", options=tuple(_YES_NO.values())),
        Question(name="rep_buyer_conflict", title="Note and buyer differ", options=tuple(_YES_NO.values())),
        Question(name="winback", title="A way back", options=get_args(WinbackState)),
        *elements,
    )


def span_labels(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Gives the labels that stretches of a text may carry."""
    reasons = [code for code in taxonomy.codes if code != NO_CAUSE]
    elements = [f"{_ELEMENT}{code}" for code in taxonomy.element_codes]
    rivals = [f"{_RIVAL}{role}" for role in get_args(RivalRole)]
    return (*reasons, *elements, *_OTHER_QUOTES, _REVISIT, *rivals)


def annotation_of(line: VerdictLine) -> Annotation:
    """Gives what a tool shows of a line; a rival that stands nowhere in the text is carried along unseen."""
    joined = _Joined.of(line.documents)
    labels, row = line.labels, line.as_row()
    quotes = [(code, quote) for code, found in labels.evidence.items() for quote in found]
    quotes += [(_REVISIT, labels.revisit)] if labels.revisit else []
    quotes += [(f"{_RIVAL}{labels.competitor_roles.get(name, 'mentioned')}", name) for name in labels.competitors]
    spans = [span for label, quote in quotes if (span := joined.find(label, quote))]
    seen = {joined.text[span.start : span.end] for span in spans if span.label.startswith(_RIVAL)}
    carried = {name: value for name, value in row.items() if name not in ("labels", "format")}
    carried["unseen_rivals"] = {name: role for name, role in labels.competitor_roles.items() if name not in seen}
    by = str(line.meta.get("verdict" if line.format == FORMAT else "model", ""))
    return Annotation(joined.text, _choices(labels), spans, carried, by)


def line_of(annotation: Annotation, taxonomy: Taxonomy, *, tool: str) -> VerdictLine:
    """Gives the verdict line of what came back.

    Args:
        annotation: What a person chose and marked.
        taxonomy: The labels there are.
        tool: Where; told in the line's `meta`.

    Raises:
        AnnotationError: Something is missing or none of what was asked; names item and field.
    """
    carried = dict(annotation.carried)
    item, unseen = str(carried.get("id", "?")), carried.pop("unseen_rivals", {})
    try:
        documents = tuple(Document.model_validate(one) for one in carried["documents"])
        quotes = list(_quotes(annotation, _Joined.of(documents), item))
        labels = _labels(annotation.choices, quotes, unseen, item)
        carried["meta"] = {**carried.get("meta", {}), "verdict": tool}
        line = VerdictLine.model_validate({**carried, "format": FORMAT, "labels": labels})
    except KeyError as error:
        raise AnnotationError(f"Item '{item}': field {error} is missing; was it exported by lossnlp?") from None
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise AnnotationError(f"Item '{item}', field '{field}': {fault['msg']}.", field=field) from None
    _check(line, taxonomy)
    return line


def told(error: Exception) -> str:
    """Gives what is wrong with a tool's item, without repeating any of it."""
    return f"{error} is missing" if isinstance(error, KeyError) else "a value is of another kind than expected"


@dataclass(frozen=True, slots=True)
class _Joined:
    """All documents as one text under headings; `parts` are the places of their own words."""

    text: str
    parts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> _Joined:
        pieces: list[str] = []
        parts: list[tuple[int, int]] = []
        at = 0
        for heading, words in _pieces(documents):
            pieces += [heading, words, "\n"]
            parts.append((at + len(heading), at + len(heading) + len(words)))
            at = parts[-1][1] + 1
        return cls("".join(pieces), tuple(parts))

    def find(self, label: str, quote: str) -> LabelledSpan | None:
        """Gives the first place of a quote in the words of a document."""
        for start, end in self.parts:
            found = self.text.find(quote, start, end)
            if found >= 0:
                return LabelledSpan(label, found, found + len(quote))
        return None

    def cut(self, span: LabelledSpan) -> str | None:
        """Gives the words of a span; None where it does not stand within one document or turn."""
        inside = any(start <= span.start < span.end <= end for start, end in self.parts)
        return self.text[span.start : span.end] if inside else None


def _pieces(documents: Iterable[Document]) -> Iterator[tuple[str, str]]:
    for document in documents:
        heading = f"=== {document.kind.replace('_', ' ')} ({document.id}) ===\n"
        if document.turns is None:
            yield heading, document.text or ""
        for index, turn in enumerate(document.turns or ()):
            yield (heading if index == 0 else "") + (f"{turn.speaker}: " if turn.speaker else ""), turn.text


def _question_of(element: str) -> str:
    return f"meddpicc_{element}"


def _choices(labels: LineLabels) -> dict[str, tuple[str, ...]]:
    return {
        "primary": (labels.primary,),
        "reasons": labels.reasons,
        "attribution": (labels.attribution,),
        "insufficient_detail": (_YES_NO[labels.insufficient_detail],),
        "rep_buyer_conflict": (_YES_NO[labels.rep_buyer_conflict],),
        "winback": (labels.winback,),
        **{_question_of(code): (state,) for code, state in labels.meddpicc.items()},
    }


def _quotes(annotation: Annotation, joined: _Joined, item: str) -> Iterator[tuple[str, str]]:
    for span in annotation.spans:
        words = joined.cut(span)
        if words is None:
            message = (
                f"Item '{item}', label '{span.label}': characters {span.start} to {span.end} leave their document."
            )
            raise AnnotationError(f"{message} Mark the words within one document or turn.", field=span.label)
        yield span.label, words


def _labels(
    choices: Mapping[str, Sequence[str]], quotes: Sequence[tuple[str, str]], unseen: Mapping[str, str], item: str
) -> dict[str, Any]:
    primary = _single(choices, "primary", item)
    said = {name: _single(choices, name, item, "na") for name in ("insufficient_detail", "rep_buyer_conflict")}
    known = {word: value for value, word in _YES_NO.items()}
    roles = {words: label.removeprefix(_RIVAL) for label, words in quotes if label.startswith(_RIVAL)} | dict(unseen)
    states = {name.removeprefix("meddpicc_"): chosen[0] for name, chosen in choices.items() if _is_state(name, chosen)}
    evidence: dict[str, list[str]] = {}
    for label, words in quotes:
        if label != _REVISIT and not label.startswith(_RIVAL):
            evidence.setdefault(label, []).append(words)
    return {
        "primary": primary,
        "reasons": [primary, *(code for code in choices.get("reasons", ()) if code != primary)],
        "meddpicc": states,
        "attribution": _single(choices, "attribution", item, "na"),
        **{name: known.get(word) for name, word in said.items()},
        "winback": _single(choices, "winback", item, "unclear"),
        "revisit": next((words for label, words in quotes if label == _REVISIT), None),
        "competitors": list(roles),
        "competitor_roles": roles,
        "evidence": evidence,
    }


def _is_state(name: str, chosen: Sequence[str]) -> bool:
    return name.startswith("meddpicc_") and bool(chosen) and chosen[0] != _NOT_MENTIONED


def _single(choices: Mapping[str, Sequence[str]], name: str, item: str, default: str | None = None) -> str:
    """Gives what was chosen of a question that takes one choice."""
    chosen = choices.get(name) or ((default,) if default else ())
    if not chosen:
        raise AnnotationError(f"Item '{item}', field '{name}': nothing was chosen; choose one.", field=name)
    return str(chosen[0])


def _check(line: VerdictLine, taxonomy: Taxonomy) -> None:
    """Passes for labels that are the taxonomy's and fit together."""
    for name, given, known in (
        ("reasons", line.labels.reasons, taxonomy.codes),
        ("meddpicc", tuple(line.labels.meddpicc), taxonomy.element_codes),
    ):
        for code in sorted(set(given) - set(known)):
            message = f"Item '{line.id}', field '{name}': '{code}' is none of the taxonomy's."
            raise AnnotationError(message, field=name)
    if NO_CAUSE in line.labels.reasons and len(line.labels.reasons) > 1:
        raise AnnotationError(f"Item '{line.id}', field 'reasons': '{NO_CAUSE}' stands alone.", field="reasons")
