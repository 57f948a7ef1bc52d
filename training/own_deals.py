"""A company's own rows as labelled deals: columns mapped, labels found in the taxonomy, accounts and days kept for the split."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lossnlp.deal import Frozen
from lossnlp.errors import InvalidDealError
from lossnlp.taxonomy import NO_CAUSE, Group, LossReason, Taxonomy, get_default_taxonomy
from training.corpus import CorpusError, LabelledDeal, labelled_deal
from training.inputs import Row, Unreadable, read_rows
from training.verdict_file import BATCH, read_line

TEXT_COLUMNS = ("text", "utterance", "sentence", "query", "snippet", "transcript", "note")
LABEL_COLUMNS = ("labels", "label", "intents", "intent", "category")
_DEAL_COLUMNS = (
    "closed_at",
    "account",
    "stated_reason",
    "stage",
    "amount",
    "currency",
    "owner",
    "segment",
    "team",
    "region",
    "product",
)
_SEPARATOR = ";"
_FORMATS = "lossnlp-"  # exported lines say which of the formats they have; one is for verdicts, the others are refused
_GROUP = "labels"


class Columns(Frozen):
    """Names of a company's columns for our fields; None: the column is called as we call it.

    Args:
        text: The words.
        labels: The labels: a list, one label, or several joined by ";", the one that decided first.
        id: The deal's id.
        kind: Kind of document.
        account: The buying company.
        closed_at: Day the deal was lost.
        stated_reason: The reason that the rep chose.
    """

    text: str | None = None
    labels: str | None = None
    id: str | None = None
    kind: str | None = None
    account: str | None = None
    closed_at: str | None = None
    stated_reason: str | None = None


@dataclass(frozen=True)
class OwnDeals:
    """The labelled deals of a source, and what became of the rest.

    Args:
        parts: Deals by what they are for: "learn", "held_out", "test".
        places: Where each deal stands, by id.
        unreadable: Rows that cannot be read.
        unlabelled: Places of rows without a label, which are left out.
    """

    parts: dict[str, list[LabelledDeal]]
    places: dict[str, str] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    unlabelled: tuple[str, ...] = ()

    @property
    def deals(self) -> list[LabelledDeal]:
        """All of them, in order of their parts."""
        return [labelled for part in self.parts.values() for labelled in part]


class _NoLabelError(Exception):
    """A row has a text and no label."""


def read_columns(pairs: Iterable[str]) -> Columns:
    """Gives the mapping of `field=column` pairs.

    Raises:
        CorpusError: A pair is written otherwise, or names a field that there is not.
    """
    named = dict(pair.partition("=")[::2] for pair in pairs)
    for name, column in named.items():
        if name not in Columns.model_fields or not column:
            known = ", ".join(Columns.model_fields)
            raise CorpusError(f"--columns '{name}': write field=column, with a field of {known}.")
    return Columns(**named)


def read_own_deals(source: Path, columns: Columns, taxonomy: Taxonomy | None) -> OwnDeals:
    """Gives the labelled deals of a source; what cannot be read is kept beside them.

    Rows are texts with labels, deals in the form of the corpus, or lines of `lossnlp-serve verdicts export`.

    Args:
        source: See `training.inputs.read_rows`.
        columns: A company's names of the columns.
        taxonomy: The labels, by code or label; None takes every label as it stands.

    Raises:
        CorpusError: The source as a whole cannot be read.
    """
    parts: dict[str, list[LabelledDeal]] = {"learn": [], "held_out": [], "test": []}
    places: dict[str, str] = {}
    unreadable: list[Unreadable] = []
    unlabelled: list[str] = []
    for row in read_rows(source):
        if isinstance(row, Unreadable):
            unreadable.append(row)
            continue
        try:
            labelled = _labelled(row, columns, taxonomy)
            if labelled.deal.id in places:
                raise CorpusError(f"field 'id': stands in {places[labelled.deal.id]} too; keep one row a deal")  # noqa: TRY301
        except _NoLabelError:
            unlabelled.append(row.place)
        except (
            CorpusError,
            InvalidDealError,
            ValidationError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            unreadable.append(Unreadable(row.place, _sentence(error)))
        else:
            parts[row.part].append(labelled)
            places[labelled.deal.id] = row.place
    return OwnDeals(parts, places, tuple(unreadable), tuple(unlabelled))


def labels_found(deals: Iterable[LabelledDeal]) -> Taxonomy:
    """Gives a taxonomy of the labels that stand in the deals, in the order of the alphabet."""
    codes = sorted({code for labelled in deals for labels in labelled.views for code in labels.reasons})
    reasons = tuple(LossReason(code=code, group=_GROUP, label=code, definition=code) for code in codes)
    return Taxonomy(version="found", groups=(Group(code=_GROUP, label="Labels"),), reasons=reasons, elements=())


def _labelled(row: Row, columns: Columns, taxonomy: Taxonomy | None) -> LabelledDeal:
    fields = row.fields
    if str(fields.get("format") or "").startswith(_FORMATS):
        return _placed(read_line(fields, taxonomy), fields.get("deal") or {})
    if "documents" in fields:
        opened = _opened(fields)
        return _placed(_in_taxonomy(labelled_deal(opened, batch=BATCH), taxonomy), opened.get("deal") or {})
    labels = _known_labels(_value(fields, columns.labels, LABEL_COLUMNS), taxonomy)
    text = _value(fields, columns.text, TEXT_COLUMNS)
    if not isinstance(text, str) or not text.strip():
        raise CorpusError("field 'text': is empty; give the words or leave the row out")
    found = {name: _value(fields, getattr(columns, name, None), (name,), needed=False) for name in _DEAL_COLUMNS}
    own = {name: value for name, value in found.items() if value not in (None, "")}
    labelled = labelled_deal(
        {
            "id": str(
                _value(fields, columns.id, ("id",), needed=False) or row.place.replace(", ", "-").replace(" ", "-")
            ),
            "deal": own,
            "documents": [
                {
                    "id": "text",
                    "kind": _value(fields, columns.kind, ("kind",), needed=False) or "rep_note",
                    "text": text,
                }
            ],
            "labels": {"primary": labels[0], "reasons": labels},
        },
        batch=BATCH,
    )
    return _placed(replace(labelled, is_partial=True), own)


def _opened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the fields with those decoded that a table can hold only as JSON text."""
    nested = ("documents", "labels", "deal", "meta", "sources", "speakers")
    return {
        name: json.loads(value) if name in nested and isinstance(value, str) else value
        for name, value in fields.items()
    }


def _placed(labelled: LabelledDeal, own: Mapping[str, Any]) -> LabelledDeal:
    """Gives the deal with its account and its day: when it was lost, else when it was judged."""
    lost_on = labelled.deal.closed_at if own.get("closed_at") else None
    day = lost_on.isoformat() if lost_on else str(labelled.meta.get("judged_on") or "")
    account = labelled.meta.get("account") or labelled.deal.account
    return replace(labelled, meta=labelled.meta | {"account": account, "day": day})


def _in_taxonomy(labelled: LabelledDeal, taxonomy: Taxonomy | None) -> LabelledDeal:
    if not labelled.labels.reasons:
        raise _NoLabelError
    elements = (taxonomy or get_default_taxonomy()).element_codes
    for labels in labelled.views:
        for code in labels.reasons:
            if _code_of(code, taxonomy) != code:
                raise CorpusError(
                    f"field 'labels.reasons': '{code}' is a label; write the code '{_code_of(code, taxonomy)}'"
                )
        if labels.primary not in labels.reasons:
            raise CorpusError(f"field 'labels.primary': '{labels.primary}' is none of the reasons; name it first there")
        for element in labels.meddpicc:
            if element not in elements:
                known = ", ".join(elements)
                raise CorpusError(f"field 'labels.meddpicc': '{element}' is none of {known}; add it to a taxonomy")
    return labelled


def _known_labels(value: object, taxonomy: Taxonomy | None) -> list[str]:
    """Gives the codes of a row's labels; an empty list says that no cause applies, an empty field says nothing."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _NoLabelError
    found = value if isinstance(value, Sequence) and not isinstance(value, str) else str(value).split(_SEPARATOR)
    labels = [label for label in (str(one).strip() for one in found) if label]
    return list(dict.fromkeys(_code_of(label, taxonomy) for label in labels)) or [NO_CAUSE]


def _code_of(label: str, taxonomy: Taxonomy | None) -> str:
    if taxonomy is None:
        return label
    for reason in taxonomy.reasons:
        if label.casefold() in (reason.code.casefold(), reason.label.casefold()):
            return reason.code
    raise CorpusError(f"field 'labels': the taxonomy has no label '{label}'; add it there or mend the row")


def _value(fields: Mapping[str, Any], own: str | None, names: Sequence[str], *, needed: bool = True) -> Any:  # noqa: ANN401 - any column
    wanted = (own,) if own else names
    for name in wanted:
        if name in fields:
            return fields[name]
    if needed or own:
        raise CorpusError(f"has none of the columns {', '.join(wanted)}; map one with --columns")
    return None


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False)[0]
        return f"field '{'.'.join(('labels', *map(str, fault['loc'])))}': {fault['msg']}"
    if isinstance(error, (CorpusError, InvalidDealError)):
        return error.message.removesuffix(".").replace("Field", "field", 1)
    if isinstance(error, KeyError):
        return f"field {error}: is missing"
    return f"a field is of another kind than expected ({type(error).__name__})"
