"""Explain: one assessment for people, with the evidence marked in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lossnlp.assessment import Assessment, Evidence, Flag
from lossnlp.deal import Deal, Document
from lossnlp.taxonomy import Taxonomy

_REASON_STYLE = "bold black on yellow"
_ELEMENT_STYLE = "underline cyan"
# What a terminal would act on (or rich take out, which shifts the marks): control and direction characters.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_FLAG_NAMES = {
    "external_only": "Note names outside causes only",
    "insufficient_detail": "Too little detail to act on",
    "rep_buyer_conflict": "Note and buyer name different causes",
    "stated_reason_conflict": "CRM reason not found in the texts",
}


def explained(deal: Deal, assessment: Assessment, taxonomy: Taxonomy) -> Group:
    """Gives an assessment as tables and marked texts for a terminal."""
    parts: list[RenderableType] = [_reasons(assessment), _profile(assessment, taxonomy), _rest(assessment)]
    parts += [part for document in deal.documents for part in _marked(document, assessment)]
    if assessment.questions:
        parts.append(Text("\nWorth asking", style="bold"))
        parts += [Text(f"  - {question}") for question in assessment.questions]
    return Group(*parts)


def _reasons(assessment: Assessment) -> Table:
    table = Table(title="Loss reasons", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "Reason", "Confidence", "Evidence"):
        table.add_column(heading)
    for reason in assessment.reasons:
        mark = "decided" if reason.primary else "also"
        table.add_row(*_cells(mark, reason.label, f"{reason.confidence:.0%}", _quoted(reason.evidence)))
    return table


def _profile(assessment: Assessment, taxonomy: Taxonomy) -> Group:
    table = Table(title="\nMEDDPICC", title_justify="left", box=None, pad_edge=False)
    for heading in ("Element", "State", "Confidence", "Evidence"):
        table.add_column(heading)
    silent = []
    for element in taxonomy.elements:
        reading = assessment.meddpicc[element.code]
        if reading.state == "not_mentioned":
            silent.append(element.label)
        else:
            table.add_row(*_cells(element.label, reading.state, f"{reading.confidence:.0%}", _quoted(reading.evidence)))
    return Group(table, Text(f"not mentioned: {', '.join(silent)}" if silent else "", style="dim"))


def _rest(assessment: Assessment) -> Group:
    flags = [(title, getattr(assessment.flags, name)) for name, title in _FLAG_NAMES.items()]
    winback = assessment.winback
    lines = [Text("")] + [Text(f"{title}: {_yes_or_no(flag)}") for title, flag in flags if flag.value is not None]
    lines.append(Text(f"Way back: {winback.state} ({winback.confidence:.0%})"))
    if winback.revisit_text:
        on = f" = {winback.revisit_on}" if winback.revisit_on else ""
        lines.append(_plain(f'Come back: "{winback.revisit_text}"{on}'))
    lines += [_plain(f"Rival: {rival.name} ({rival.role}, {rival.confidence:.0%})") for rival in assessment.competitors]
    waits = ", ".join(assessment.review.because).replace("_", " ")
    lines.append(Text(f"Waits for a person: {waits}" if assessment.review.required else "Needs no person"))
    return Group(*lines)


def _cells(*contents: str) -> Iterator[Text]:
    """Gives cells that show their contents as they are: rich reads a bare `[/b]` as markup."""
    yield from map(_plain, contents)


def _plain(content: str, style: str = "") -> Text:
    """Gives a text as long as `content`, with a blank for each character that a terminal would act on."""
    return Text(_CONTROL.sub(" ", content), style=style)


def _yes_or_no(flag: Flag) -> str:
    return f"{'yes' if flag.value else 'no'} ({flag.confidence or 0:.0%})"


def _quoted(evidence: Iterable[Evidence]) -> str:
    return "; ".join(f'"{quote.text}"' for quote in evidence)


def _marked(document: Document, assessment: Assessment) -> Iterator[RenderableType]:
    yield _plain(f"\n{document.id} ({document.kind.replace('_', ' ')})", "bold")
    if document.turns is None:
        yield _with_marks(document.text or "", document.id, None, assessment)
        return
    for index, turn in enumerate(document.turns):
        marked = _with_marks(turn.text, document.id, index, assessment)
        yield _plain(f"{turn.speaker or 'speaker'}: ", "dim") + marked


def _with_marks(content: str, document_id: str, turn: int | None, assessment: Assessment) -> Text:
    """Gives the text with each quote in the style of what it shows; loss reasons lie over elements."""
    text = _plain(content)
    elements = [reading.evidence for reading in assessment.meddpicc.values()]
    for style, groups in ((_ELEMENT_STYLE, elements), (_REASON_STYLE, [r.evidence for r in assessment.reasons])):
        for quote in (quote for evidence in groups for quote in evidence):
            if quote.document_id == document_id and quote.turn == turn:
                text.stylize(style, quote.start, quote.end)
    return text
