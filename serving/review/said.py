"""What a person says of an assessment, and the same without personal data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from lossnlp.assessment import Assessment
from lossnlp.redaction import redact_texts
from serving.review.verdict import VerdictKind, VerdictLabels
from serving.tables import DealRow


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of an assessment.

    Args:
        kind: `accept` all of it, `change` it, or `cannot_tell`.
        labels: The values that hold; needed for `change`, not used otherwise.
        comment: In the person's own words, at most 2,000 characters.
        shown: What the person had before them: causes, confidences, whether the texts were there.
        seconds: How long they looked, 0 or more.
    """

    kind: VerdictKind
    labels: VerdictLabels | None = None
    comment: str | None = None
    shown: dict[str, Any] | None = None
    seconds: float = 0.0


def names_that_survive(deal: DealRow, assessment: Assessment) -> list[str]:
    """Gives the names in a remark that are no person's: the account, the product, the rivals that were read."""
    own = [name for name in (deal.account, deal.product) if name]
    return [*own, *(rival.name for rival in assessment.competitors)]


def redact_said(said: Said, kept: Iterable[str]) -> Said:
    """Gives the same with placeholders in the remark and in the words that were marked; offsets stay those of the raw texts.

    Args:
        said: What a person said.
        kept: Names of companies and products that survive.
    """
    labels = said.labels
    quotes = [quote.text for found in labels.evidence.values() for quote in found] if labels else []
    texts = [said.comment or "", labels.revisit_text or "" if labels else "", *quotes]
    names = [*kept, *(labels.competitors if labels else ())]
    comment, revisit, *others = (one.text for one in redact_texts(texts, kept=names))
    return replace(said, comment=comment or None, labels=labels and _with_words(labels, revisit, others))


def _with_words(labels: VerdictLabels, revisit: str, quotes: list[str]) -> VerdictLabels:
    left = iter(quotes)
    evidence = {
        label: tuple(quote.model_copy(update={"text": next(left)}) for quote in found)
        for label, found in labels.evidence.items()
    }
    return labels.model_copy(update={"evidence": evidence, "revisit_text": revisit or None})
