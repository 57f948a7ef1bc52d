"""New themes in deals without a reason: `python -m training.candidates FILE` proposes reasons that the list may lack.

FILE holds deals one a line: verdicts as `lossnlp-serve verdicts export` writes them (also those that nobody could tell, `--with-open`), or
requests. Deals that a person could not place, or that the model reads as unknown or is not sure of, are put into groups by their words.
What comes out is a question for people, not a reason yet.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lossnlp.assessment import Assessment
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS, Taxonomy
from training.baseline import text_of
from training.corpus import CorpusError
from training.themes import Group, Vectors, WordSpace, find_groups, quotes_of, terms_apart
from training.verdict_file import FORMAT

FEWEST, STABLE, BELOW = 8, 0.6, 0.5
_LEAST = 4  # texts that groups can be looked for in


class Reader(Protocol):
    """What reads deals that nobody has judged."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that it knows."""

    def assess(self, deal: Deal, /) -> Assessment:
        """Gives the assessment of one deal."""


@dataclass(frozen=True)
class ToldDeal:
    """A deal of the file.

    Args:
        id: Its id.
        text: Its words.
        reason: What holds by a person or surely by the model; None where it is open.
        is_redacted: Whether its words may be quoted.
    """

    id: str
    text: str
    reason: str | None
    is_redacted: bool


@dataclass(frozen=True)
class Candidate:
    """A theme that may be a reason.

    Args:
        deals: Ids, in the order of the file.
        terms: What sets it apart from the other open deals, strongest first.
        quotes: Sentences that show it, each of another deal; none of deals that are not redacted.
        nearest: Code of the reason that lies nearest.
        likeness: How near, as a cosine, -1 to 1.
        stability: How much of it is found again when the deals are drawn anew, 0 to 1.
    """

    deals: tuple[str, ...]
    terms: tuple[str, ...]
    quotes: tuple[str, ...]
    nearest: str
    likeness: float
    stability: float


@dataclass(frozen=True)
class Found:
    """What was found.

    Args:
        candidates: Largest first.
        open: Deals without a reason.
        held_small: Groups of fewer deals than are shown.
        held_loose: Groups that fall apart when the deals are drawn anew, or that no word sets apart.
    """

    candidates: tuple[Candidate, ...]
    open: int
    held_small: int = 0
    held_loose: int = 0


def read_told(lines: Iterable[str], reader: Reader, *, below: float = BELOW) -> Iterator[ToldDeal]:
    """Gives the deals of a file; those without a verdict are read by the model.

    Args:
        lines: JSON, one deal a line.
        reader: The model.
        below: Confidence in the primary reason from which on it counts as read, 0 to 1.

    Raises:
        CorpusError: A line cannot be read; names line and field.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _told(json.loads(line), reader, below)
            except (LossNlpError, ValueError, KeyError, TypeError, AttributeError) as error:
                cause = error.message if isinstance(error, LossNlpError) else "is no deal as JSON; export it anew."
                raise CorpusError(f"Line {number}: {cause}") from None


def _told(row: dict[str, Any], reader: Reader, below: float) -> ToldDeal:
    form = row.get("format")
    request = {"deal": {"id": row["id"], **row["deal"]}, "documents": row["documents"]} if form else row
    deal = Deal.from_request(request)
    if form == FORMAT:
        reason = str(row["labels"]["primary"])
    else:
        primary = reader.assess(deal).primary if not form else None
        reason = primary.code if primary and primary.confidence >= below else NO_CAUSE
    is_redacted = bool(row.get("meta", {}).get("redacted", False))
    return ToldDeal(deal.id, text_of(deal), None if reason == NO_CAUSE else reason, is_redacted)


def find_candidates(
    told: Sequence[ToldDeal], taxonomy: Taxonomy, *, fewest: int = FEWEST, stable: float = STABLE, seed: int = 0
) -> Found:
    """Gives the themes among the deals without a reason; the same for the same deals.

    Args:
        told: All deals; those with a reason say what lies near it.
        taxonomy: The reasons there are.
        fewest: Deals that a theme has at least, 2 or more.
        stable: Stability that it has at least, 0 to 1.
        seed: Changes what is drawn.
    """
    unplaced = [deal for deal in told if deal.reason is None]
    if len(unplaced) < max(2 * fewest, _LEAST):
        return Found((), len(unplaced))
    known = _known(told, taxonomy)
    space = WordSpace([deal.text for deal in unplaced] + [text for texts in known.values() for text in texts])
    pool = _Pool(unplaced, space, {code: space.place(texts).mean(0) for code, texts in known.items()})
    groups = find_groups(pool.vectors, seed=seed)
    big = [group for group in groups if len(group.members) >= fewest]
    made = [pool.candidate(group) for group in big if group.stability >= stable]
    kept = tuple(candidate for candidate in made if candidate.terms)
    return Found(kept, len(unplaced), len(groups) - len(big), len(big) - len(kept))


def _known(told: Sequence[ToldDeal], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Gives what is known of each reason: its definition, and the deals that have it."""
    return {
        reason.code: [
            f"{reason.label}. {reason.definition}",
            *(deal.text for deal in told if deal.reason == reason.code),
        ]
        for reason in taxonomy.reasons
        if reason.code not in (NO_CAUSE, NOT_A_LOSS)
    }


@dataclass(frozen=True)
class _Pool:
    """The open deals, where they lie, and where the reasons do."""

    deals: Sequence[ToldDeal]
    space: WordSpace
    near: Mapping[str, Vectors]

    @cached_property
    def vectors(self) -> Vectors:
        """Of the deals, shape (deals, width)."""
        return self.space.place([deal.text for deal in self.deals])

    def candidate(self, group: Group) -> Candidate:
        """Gives what there is to say of a group."""
        centre = self.vectors[list(group.members)].mean(0)
        likeness = {code: _cosine(centre, vector) for code, vector in self.near.items()}
        nearest = max(likeness, key=lambda code: (likeness[code], code))
        members = [self.deals[at] for at in group.members]
        quotable = [deal.text for deal in members if deal.is_redacted]
        return Candidate(
            deals=tuple(deal.id for deal in members),
            terms=terms_apart([deal.text for deal in self.deals], group.members),
            quotes=quotes_of(quotable, centre - self.vectors.mean(0), self.space),
            nearest=nearest,
            likeness=round(likeness[nearest], 3),
            stability=round(group.stability, 3),
        )


def _cosine(one: Vectors, other: Vectors) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0


def tell(found: Found, taxonomy: Taxonomy) -> str:
    """Gives what was found for people."""
    held = f"{found.held_small} groups that are too small, {found.held_loose} that do not hold together"
    lines = [f"{found.open} deals without a reason: {len(found.candidates)} candidates; held back: {held}."]
    for number, one in enumerate(found.candidates, start=1):
        near = taxonomy.get_reason(one.nearest).label
        lines += [
            "",
            f"{number}. {', '.join(one.terms)}",
            f"   {len(one.deals)} deals, such as {', '.join(one.deals[:3])}; nearest reason: {near} ({one.likeness:.2f})",
            *(f"   “{quote}”" for quote in one.quotes),
        ]
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Runs the command; a fault that a person can mend ends in one sentence."""
    given = _arguments(words)
    try:
        if given.fewest < 2 or not 0 <= given.below <= 1:
            raise CorpusError("--fewest is 2 or more, and --below lies between 0 and 1.")
        reader = LossClassifier.load(given.bundle)
        found = find_candidates(_read_file(given.file, reader, given.below), reader.taxonomy, fewest=given.fewest)
    except LossNlpError as error:
        sys.exit(f"training.candidates: {error.message}")
    sys.stdout.write(tell(found, reader.taxonomy) + "\n")
    if given.out:
        given.out.write_text(json.dumps(asdict(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _arguments(words: list[str] | None) -> argparse.Namespace:
    ask = argparse.ArgumentParser(
        prog="python -m training.candidates", description="Proposes reasons that the list may lack."
    )
    ask.add_argument("file", type=Path, help="verdicts or requests, one a line")
    ask.add_argument("--bundle", type=Path, help="model that reads what nobody judged; default: the shipped one")
    ask.add_argument("--below", type=float, default=BELOW, help="confidence below which a reading is open (0.5)")
    ask.add_argument("--fewest", type=int, default=FEWEST, help="deals that a candidate has at least (8)")
    ask.add_argument("--out", type=Path, help="JSON file of the candidates")
    return ask.parse_args(words)


def _read_file(file: Path, reader: Reader, below: float) -> list[ToldDeal]:
    try:
        with file.open(encoding="utf-8") as lines:
            return list(read_told(lines, reader, below=below))
    except (OSError, UnicodeDecodeError):
        raise CorpusError(f"{file} cannot be read; name a file of deals, one a line.") from None


if __name__ == "__main__":
    main()
