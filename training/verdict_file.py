"""Verdicts of people at work as labelled deals: the file that `lossnlp-serve verdicts export` writes, read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lossnlp.errors import InvalidDealError
from lossnlp.taxonomy import NO_CAUSE, Taxonomy, get_default_taxonomy
from training.corpus import CorpusError, LabelledDeal, labelled_deal

FORMAT = "lossnlp-verdicts/1"
BATCH = "verdicts"


def read_verdicts(path: Path, taxonomy: Taxonomy | None = None) -> list[LabelledDeal]:
    """Gives the judged deals of a file, in order; those of one account are one group.

    Args:
        path: JSON lines, each in the form of the corpus with its `format`.
        taxonomy: The labels; None for the shipped ones.

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
        try:
            judged = read_line(_decoded(line), taxonomy)
        except CorpusError as error:
            between = ", " if error.message.startswith("field") else ": "
            raise CorpusError(f"{place}{between}{error.message}") from None
        if judged.deal.id in found:
            raise CorpusError(f"{place}, field 'id': stands in an earlier line too; keep one verdict a deal.")
        found[judged.deal.id] = judged
    return list(found.values())


def _decoded(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        raise CorpusError("is not JSON; export the verdicts anew.") from None


def read_line(row: object, taxonomy: Taxonomy | None = None) -> LabelledDeal:
    """Gives the judged deal of one decoded line.

    Args:
        row: The line.
        taxonomy: The labels; None for the shipped ones.

    Raises:
        CorpusError: It is no verdict, or a label or quote of it is wrong; the message names the field.
    """
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        given = row.get("format") if isinstance(row, dict) else None
        raise CorpusError(f"field 'format': is {given!r}, not {FORMAT!r}; export the verdicts anew.")
    try:
        judged = labelled_deal(row, batch=BATCH)
    except KeyError as error:
        raise CorpusError(f"field {error}: is missing.") from None
    except InvalidDealError as error:
        raise CorpusError(f"{error.message[0].lower()}{error.message[1:]}") from None
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = ".".join(("labels", *map(str, fault["loc"])))
        raise CorpusError(f"field '{field}': {fault['msg']}.") from None
    except (TypeError, ValueError, AttributeError):
        raise CorpusError("a field is of another kind than in the corpus; export the verdicts anew.") from None
    for name, wrong in _faults(judged, taxonomy or get_default_taxonomy()):
        raise CorpusError(f"field 'labels.{name}': {wrong}.")
    return judged


def _faults(judged: LabelledDeal, taxonomy: Taxonomy) -> Iterator[tuple[str, str]]:
    labels = judged.labels
    for code in sorted({labels.primary, *labels.reasons} - set(taxonomy.codes)):
        yield "reasons", f"'{code}' is no reason of taxonomy {taxonomy.version}"
    if not labels.reasons or labels.reasons[0] != labels.primary:
        yield "reasons", "the primary reason does not stand first"
    if NO_CAUSE in labels.reasons and len(labels.reasons) > 1:
        yield "reasons", f"'{NO_CAUSE}' stands beside another reason"
    for code in sorted(set(labels.meddpicc) - set(taxonomy.element_codes)):
        yield "meddpicc", f"'{code}' is no element of taxonomy {taxonomy.version}"
    texts = judged.deal.texts
    quotes: dict[str, Any] = {f"evidence.{code}": found for code, found in labels.evidence.items()}
    quotes["revisit"] = [labels.revisit] if labels.revisit else []
    for field, found in quotes.items():
        if not all(any(quote in text for text in texts) for quote in found):
            yield field, "a quote does not stand in the documents"
