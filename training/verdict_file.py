"""Verdicts of people at work as labelled deals: the file that `lossnlp-serve verdicts export` writes, read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lossnlp.errors import InvalidDealError
from lossnlp.taxonomy import NO_CAUSE, get_default_taxonomy
from training.corpus import CorpusError, LabelledDeal, labelled_deal

FORMAT = "lossnlp-verdicts/1"
BATCH = "verdicts"


def read_verdicts(path: Path) -> list[LabelledDeal]:
    """Gives the judged deals of a file, in order; those of one account are one group.

    Args:
        path: JSON lines, each in the form of the corpus with its `format`.

    Raises:
        CorpusError: The file cannot be read, or a line of it; the message names line and field.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path.name} cannot be read; name a file of exported verdicts.") from error
    found: dict[str, LabelledDeal] = {}
    for number, line in rows:
        place = f"{path.name}, line {number}"
        judged = _read_line(line, place)
        if judged.deal.id in found:
            raise CorpusError(f"{place}, field 'id': stands in an earlier line too; keep one verdict a deal.")
        _check_labels(judged, place)
        found[judged.deal.id] = judged
    return list(found.values())


def _read_line(line: str, place: str) -> LabelledDeal:
    try:
        row = json.loads(line)
    except ValueError:
        raise CorpusError(f"{place}: is not JSON; export the verdicts anew.") from None
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        given = row.get("format") if isinstance(row, dict) else None
        raise CorpusError(f"{place}, field 'format': is {given!r}, not {FORMAT!r}; export the verdicts anew.")
    try:
        return labelled_deal(row, batch=BATCH)
    except KeyError as error:
        raise CorpusError(f"{place}, field {error}: is missing.") from None
    except InvalidDealError as error:
        raise CorpusError(f"{place}, {error.message[0].lower()}{error.message[1:]}") from None
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = ".".join(("labels", *map(str, fault["loc"])))
        raise CorpusError(f"{place}, field '{field}': {fault['msg']}.") from None
    except (TypeError, ValueError, AttributeError):
        raise CorpusError(
            f"{place}: a field is of another kind than in the corpus; export the verdicts anew."
        ) from None


def _check_labels(judged: LabelledDeal, place: str) -> None:
    """Passes for labels that the taxonomy knows and quotes that stand in the words."""
    for field, fault in _faults(judged):
        raise CorpusError(f"{place}, field 'labels.{field}': {fault}.")


def _faults(judged: LabelledDeal) -> Iterator[tuple[str, str]]:
    taxonomy, labels = get_default_taxonomy(), judged.labels
    for code in sorted({labels.primary, *labels.reasons} - set(taxonomy.codes)):
        yield "reasons", f"'{code}' is no reason of taxonomy {taxonomy.version}"
    if not labels.reasons or labels.reasons[0] != labels.primary:
        yield "reasons", "the primary reason does not stand first"
    if NO_CAUSE in labels.reasons and len(labels.reasons) > 1:
        yield "reasons", f"'{NO_CAUSE}' stands beside another reason"
    for code in sorted(set(labels.meddpicc) - set(taxonomy.element_codes)):
        yield "meddpicc", f"'{code}' is no element of taxonomy {taxonomy.version}"
    texts = [text for document in judged.deal.documents for _, text in document.numbered_texts]
    quotes: dict[str, Any] = {f"evidence.{code}": found for code, found in labels.evidence.items()}
    quotes["revisit"] = [labels.revisit] if labels.revisit else []
    for field, found in quotes.items():
        if not all(any(quote in text for text in texts) for quote in found):
            yield field, "a quote does not stand in the documents"
