"""The labelled deals: read from JSON lines, checked, and split so that near pairs never straddle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from lossnlp.assessment import Attribution, GapState, RivalRole, WinbackState
from lossnlp.deal import Deal, Document, Frozen, Role
from lossnlp.errors import InvalidDealError, LossNlpError

CORPUS_FOLDER = Path(__file__).parent / "corpus"
SPLIT_SEED = 7  # which deals are held out is the same for all runs
_CLOSED_ON = "2026-11-20"
_CALLS = ("call_transcript", "email_thread")


class CorpusError(LossNlpError):
    """Says which line of the corpus breaks which rule."""

    code = "bad_corpus"


class Labels(Frozen):
    """What the annotation guide says of one view of a deal; see the corpus README for each field."""

    primary: str
    reasons: tuple[str, ...]
    meddpicc: dict[str, GapState] = Field(default_factory=dict)
    attribution: Attribution | Literal["na"] = "na"
    insufficient_detail: bool | None = None
    winback: WinbackState = "unclear"
    revisit: str | None = None
    competitors: tuple[str, ...] = ()
    competitor_roles: dict[str, RivalRole] = Field(default_factory=dict)
    evidence: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rep_buyer_conflict: bool | None = None

    @field_validator("evidence", mode="before")
    @classmethod
    def _as_lists(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {code: [quotes] if isinstance(quotes, str) else quotes for code, quotes in value.items()}


class LabelledSpeaker(Frozen):
    """The true role of a speaker label."""

    document_id: str
    speaker: str
    role: Role


@dataclass(frozen=True)
class LabelledDeal:
    """A deal with the labels of each of its views.

    Args:
        deal: The request.
        labels: Labels of the deal as a whole.
        note: Labels of the rep note alone, where it has one; None where it has one and nobody labelled it alone.
        buyer: The same for the buyer's words.
        speakers: True roles of the speakers.
        meta: Writer's remarks: industry, style, pair; of a verdict its account, kind and day.
        batch: Name of the file it came from.
        is_partial: Says whether its reasons alone are labelled, and nothing is known of profile, way back and rivals.
    """

    deal: Deal
    labels: Labels
    note: Labels | None
    buyer: Labels | None
    speakers: tuple[LabelledSpeaker, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    batch: str = ""
    is_partial: bool = False

    @property
    def views(self) -> tuple[Labels, ...]:
        """The labels of the deal as a whole, then those of its note and of the buyer's words, where there are any."""
        return tuple(labels for labels in (self.labels, self.note, self.buyer) if labels is not None)

    @property
    def has_both(self) -> bool:
        """Says whether the deal has a rep note and the buyer's words."""
        return self.note is not None and self.buyer is not None

    @property
    def has_calls(self) -> bool:
        """Says whether calls or mail threads are among the deal's documents."""
        return any(document.kind in _CALLS for document in self.deal.documents) or self.has_both

    @property
    def group(self) -> str:
        """What must stay on one side of a split: the hard pair or the account it belongs to, else the deal itself."""
        shared = self.meta.get("pair") or self.meta.get("account")
        return f"{self.batch}:{shared}" if shared else self.deal.id


def is_note(document: Document) -> bool:
    """Says whether the document is the rep's own note."""
    return document.kind == "rep_note"


def read_corpus(paths: Iterable[Path]) -> list[LabelledDeal]:
    """Gives the labelled deals of JSON-lines files, in order.

    Raises:
        CorpusError: A line that cannot be read; the message names file and line.
    """
    return [labelled for path in paths for labelled in _read_file(path)]


def corpus_files(folder: Path = CORPUS_FOLDER) -> list[Path]:
    """Gives the corpus files of a folder in name order.

    Raises:
        CorpusError: The folder holds none.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise CorpusError(f"{folder} holds no .jsonl file; name a folder with labelled deals.")
    return files


def _read_file(path: Path) -> Iterator[LabelledDeal]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield labelled_deal(json.loads(line), batch=path.stem)
            except (ValueError, KeyError, TypeError, InvalidDealError) as error:
                reason = _first_line(error)
                raise CorpusError(f"{path.name}, line {number}: {reason}") from error


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False)[0]
        return f"field '{'.'.join(map(str, fault['loc']))}': {fault['msg']}"
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def labelled_deal(row: dict[str, Any], *, batch: str = "") -> LabelledDeal:
    """Gives the labelled deal of one decoded corpus line.

    Raises:
        InvalidDealError: The deal itself is unreadable.
        ValidationError: The labels break their schema.
    """
    head = {"id": row["id"], "closed_at": _CLOSED_ON} | (row.get("deal") or {})
    deal = Deal.from_request({"deal": head, "documents": row["documents"]})
    labels = Labels.model_validate(row["labels"])
    sources = row.get("sources")
    if sources:
        note, buyer = (
            Labels.model_validate(sources[name]) if sources.get(name) else None for name in ("note", "buyer")
        )
    else:
        only_note = all(is_note(document) for document in deal.documents)
        note, buyer = (labels, None) if only_note else (None, labels)
    return LabelledDeal(
        deal=deal,
        labels=labels,
        note=note,
        buyer=buyer,
        speakers=tuple(LabelledSpeaker.model_validate(who) for who in row.get("speakers", [])),
        meta=row.get("meta") or {},
        batch=batch,
    )


def split_held_out(
    deals: Iterable[LabelledDeal], *, share: float, seed: int = SPLIT_SEED
) -> tuple[list[LabelledDeal], list[LabelledDeal]]:
    """Gives deals to learn from and deals held out; each side is the same whatever the order of the input.

    Args:
        deals: The corpus.
        share: Share of the groups to hold out, 0 to 1.
        seed: Changes which groups are held out. Runs leave it as it is, whatever their own seed: what one bundle learned from is then never
            held out by a run that begins from it or by what measures it later.
    """
    learn: list[LabelledDeal] = []
    held_out: list[LabelledDeal] = []
    for labelled in deals:
        digest = hashlib.sha256(f"{seed}:{labelled.group}".encode()).digest()
        (held_out if int.from_bytes(digest[:4], "big") / 2**32 < share else learn).append(labelled)
    return learn, held_out


def corpus_digest(paths: Iterable[Path]) -> str:
    """Gives a hash of the corpus files' bytes, for the record of a run."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
