"""The line of an exported verdict: that of the training corpus, with the version of the format in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from lossnlp.assessment import Attribution, GapState, RivalRole, Span, WinbackState
from lossnlp.deal import Deal, Document, Frozen
from serving.review.verdict import VerdictLabels

FORMAT: Final = "lossnlp-verdicts/1"
OPEN_FORMAT: Final = "lossnlp-open/1"


class LineLabels(Frozen):
    """What holds of a deal, as the corpus writes it.

    Args:
        primary: The reason that decided.
        reasons: All that apply, the primary first.
        meddpicc: State by element; only what is mentioned.
        attribution: Of the note; `na` without one.
        insufficient_detail: Of the note; None without one.
        rep_buyer_conflict: None where one of them is silent.
        winback: Whether a way back is open.
        revisit: The words that say when, as they stand in a document.
        competitors: Names as written.
        competitor_roles: Role by name.
        evidence: Quotes by label, each as it stands in a document.
    """

    primary: str
    reasons: tuple[str, ...]
    meddpicc: Mapping[str, GapState] = {}
    attribution: Attribution | Literal["na"] = "na"
    insufficient_detail: bool | None = None
    rep_buyer_conflict: bool | None = None
    winback: WinbackState = "unclear"
    revisit: str | None = None
    competitors: tuple[str, ...] = ()
    competitor_roles: Mapping[str, RivalRole] = {}
    evidence: Mapping[str, tuple[str, ...]] = {}


class VerdictLine(Frozen):
    """A judged deal.

    Args:
        format: `lossnlp-verdicts/1`; `lossnlp-open/1` where nobody could tell and the labels are what the model read.
        id: The deal's id.
        deal: The deal's own fields, as in a request.
        documents: As in a request.
        sources: Labels of the note and of the buyer's words alone: a verdict has none, so both are null for a deal with both.
        labels: What holds.
        meta: Account (a number of this file), kind and day of the verdict, version of the model that was judged.
    """

    format: Literal["lossnlp-verdicts/1", "lossnlp-open/1"] = FORMAT
    id: str
    deal: Mapping[str, Any]
    documents: tuple[Document, ...]
    sources: Mapping[Literal["note", "buyer"], None] | None = None
    labels: LineLabels
    meta: Mapping[str, Any] = {}

    def as_row(self) -> dict[str, Any]:
        """Gives the line as JSON: what is not known is left out, but for labels and sources."""
        documents = [document.model_dump(mode="json", exclude_none=True) for document in self.documents]
        head = {"format": self.format, "id": self.id, "deal": dict(self.deal), "documents": documents}
        sources = {"sources": dict(self.sources)} if self.sources is not None else {}
        return {**head, **sources, "labels": self.labels.model_dump(mode="json"), "meta": dict(self.meta)}


def make_line(deal: Deal, labels: LineLabels, *, is_open: bool, meta: Mapping[str, Any]) -> VerdictLine:
    """Gives the line of a deal.

    Args:
        deal: The deal with its documents.
        labels: What holds of it, or what the model read.
        is_open: Whether nobody could tell.
        meta: What is told beside.
    """
    kinds = {document.kind == "rep_note" for document in deal.documents}
    return VerdictLine(
        format=OPEN_FORMAT if is_open else FORMAT,
        id=deal.id,
        deal=deal.model_dump(mode="json", exclude={"documents"}, exclude_none=True),
        documents=deal.documents,
        sources={"note": None, "buyer": None} if len(kinds) > 1 else None,
        labels=labels,
        meta=meta,
    )


def line_labels(labels: VerdictLabels, *, revisit: Span | None, quote: Callable[[Span], str]) -> LineLabels:
    """Gives the labels of a verdict as the corpus writes them; evidence of what does not hold is left out.

    Args:
        labels: The verdict's.
        revisit: Where the words stand that say when to come back; None where they stand nowhere.
        quote: Gives the words of a place as the line has them.
    """
    states = {code: state for code, state in labels.meddpicc.items() if state != "not_mentioned"}
    held = {*labels.reasons, *(f"meddpicc.{code}" for code in states), "winback"}
    held |= {"external_only"} if labels.attribution == "external_only" else set()
    held |= {"rep_buyer_conflict"} if labels.rep_buyer_conflict else set()
    quoted = {code: [quote(span) for span in spans] for code, spans in labels.evidence.items() if code in held}
    return LineLabels(
        primary=labels.reasons[0],
        reasons=labels.reasons,
        meddpicc=states,
        attribution=labels.attribution or "na",
        insufficient_detail=labels.insufficient_detail,
        rep_buyer_conflict=labels.rep_buyer_conflict,
        winback=labels.winback,
        revisit=quote(revisit) if revisit else None,
        competitors=tuple(labels.competitors),
        competitor_roles=labels.competitors,
        evidence={code: tuple(dict.fromkeys(words)) for code, words in quoted.items()},
    )
