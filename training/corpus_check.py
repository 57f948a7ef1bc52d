"""The corpus check: `make corpus-check` reads every labelled deal and says what breaks the rules, and what is covered how often."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from lossnlp.taxonomy import get_default_taxonomy
from training.baseline import text_of
from training.corpus import CorpusError, LabelledDeal, Labels, corpus_files, is_note, read_corpus

_GRAM_WORDS = 6
_NEAR_SHARE = 0.5
_COPIED_GRAMS = 3
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Fault:
    """One broken rule: the deal, and what is wrong."""

    deal_id: str
    message: str


def find_faults(deals: Sequence[LabelledDeal]) -> Iterator[Fault]:
    """Gives every broken rule of labels and quotes, deal by deal.

    Args:
        deals: The corpus.
    """
    ids = Counter(labelled.deal.id for labelled in deals)
    yield from (Fault(deal_id, "the id stands twice") for deal_id, count in ids.items() if count > 1)
    for labelled in deals:
        named = {"labels": labelled.labels, "note": labelled.note, "buyer": labelled.buyer}
        texts = {name: _texts(labelled, name) for name in named}
        for name, labels in named.items():
            if labels is not None:
                yield from (
                    Fault(labelled.deal.id, f"{name}: {fault}")
                    for fault in (*_label_faults(labels), *_quote_faults(labels, texts[name]))
                )


def _texts(labelled: LabelledDeal, view: str) -> list[str]:
    """Gives the stretches that a quote of this view may stand in."""
    documents = labelled.deal.documents
    if view != "labels" and labelled.note is not None and labelled.buyer is not None:
        documents = tuple(d for d in documents if is_note(d) == (view == "note"))
    return [text for document in documents for _, text in document.numbered_texts]


def _label_faults(labels: Labels) -> Iterator[str]:
    taxonomy = get_default_taxonomy()
    unknown = set(labels.reasons) - set(taxonomy.codes)
    if unknown:
        yield f"no such reason: {', '.join(sorted(unknown))}"
    if not labels.reasons or labels.reasons[0] != labels.primary:
        yield "the primary reason does not stand first"
    if "unknown" in labels.reasons and len(labels.reasons) > 1:
        yield "'unknown' stands beside another reason"
    strange = set(labels.meddpicc) - set(taxonomy.element_codes)
    if strange:
        yield f"no such element: {', '.join(sorted(strange))}"
    wanted = {code for code in labels.reasons if code != "unknown"} | {f"meddpicc.{code}" for code in labels.meddpicc}
    missing = wanted - set(labels.evidence)
    if missing:
        yield f"no evidence for {', '.join(sorted(missing))}"
    if set(labels.competitors) != set(labels.competitor_roles):
        yield "competitors and competitor_roles differ"


def _quote_faults(labels: Labels, texts: Sequence[str]) -> Iterator[str]:
    quoted = dict(labels.evidence)
    named = {"revisit": (labels.revisit,) if labels.revisit else (), "competitors": labels.competitors}
    for key, quotes in {**quoted, **named}.items():
        for quote in quotes:
            if not any(quote in text for text in texts):
                yield f"{key}: a quote of {len(quote)} characters does not stand in the text"


def find_near_duplicates(deals: Sequence[LabelledDeal]) -> Iterator[tuple[str, str]]:
    """Gives pairs of deals of which half the runs of six words are the same; declared hard pairs are left out."""
    grams = {labelled.deal.id: _grams(text_of(labelled.deal)) for labelled in deals}
    groups = {labelled.deal.id: labelled.group for labelled in deals}
    places: dict[str, list[str]] = {}
    for deal_id, own in grams.items():
        for gram in own:
            places.setdefault(gram, []).append(deal_id)
    shared = Counter(pair for ids in places.values() if len(ids) <= 50 for pair in combinations(ids, 2))
    for (one, other), count in sorted(shared.items()):
        if groups[one] != groups[other] and count >= _NEAR_SHARE * min(len(grams[one]), len(grams[other])):
            yield one, other


def find_copies(deals: Sequence[LabelledDeal], others: Sequence[LabelledDeal]) -> Iterator[tuple[str, str]]:
    """Gives pairs of a corpus deal and a deal of an evaluation set that share three or more runs of six words."""
    places: dict[str, set[str]] = {}
    for other in others:
        for gram in _grams(text_of(other.deal)):
            places.setdefault(gram, set()).add(other.deal.id)
    for labelled in deals:
        hits = Counter(found for gram in _grams(text_of(labelled.deal)) for found in places.get(gram, ()))
        yield from ((labelled.deal.id, found) for found, count in hits.items() if count >= _COPIED_GRAMS)


def _grams(text: str) -> set[str]:
    words = _WORDS.findall(text.lower())
    return {" ".join(words[i : i + _GRAM_WORDS]) for i in range(len(words) - _GRAM_WORDS + 1)}


def coverage(deals: Sequence[LabelledDeal]) -> list[tuple[str, int]]:
    """Gives how many deals carry each label."""
    taxonomy = get_default_taxonomy()
    labels = [labelled.labels for labelled in deals]
    counts = [(f"primary {code}", sum(one.primary == code for one in labels)) for code in taxonomy.codes]
    for state in ("gap", "covered"):
        counts += [
            (f"{state} {code}", sum(one.meddpicc.get(code) == state for one in labels))
            for code in taxonomy.element_codes
        ]
    for field in ("attribution", "insufficient_detail", "winback", "rep_buyer_conflict"):
        values = Counter(str(getattr(one, field)) for one in labels)
        counts += [(f"{field} {value}", count) for value, count in sorted(values.items())]
    roles = Counter(role for one in labels for role in one.competitor_roles.values())
    counts += [(f"rival {role}", count) for role, count in sorted(roles.items())]
    counts += [("revisit phrase", sum(one.revisit is not None for one in labels))]
    counts += [("three or more reasons", sum(len(one.reasons) >= 3 for one in labels))]
    return counts


def main() -> None:
    """Checks the corpus; exits with 1 where a rule is broken."""
    ask = argparse.ArgumentParser(prog="python -m training.corpus_check", description=main.__doc__)
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument(
        "--apart-from", type=Path, nargs="*", default=[], help="labelled files that must not be copied from"
    )
    asked = ask.parse_args()
    try:
        deals = read_corpus(asked.corpus or corpus_files())
        others = read_corpus(asked.apart_from)
    except CorpusError as error:
        sys.exit(f"corpus-check: {error.message}")
    faults = list(find_faults(deals))
    faults += [Fault(one, f"is nearly the same as {other}") for one, other in find_near_duplicates(deals)]
    faults += [Fault(one, f"shares text with evaluation deal {other}") for one, other in find_copies(deals, others)]
    for name, count in (("deals", len(deals)), *Counter(d.batch for d in deals).items(), *coverage(deals)):
        sys.stdout.write(f"{name:36} {count:6}\n")
    for fault in faults:
        sys.stdout.write(f"FAULT {fault.deal_id}: {fault.message}\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
