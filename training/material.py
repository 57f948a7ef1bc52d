"""Material of a run: deals to learn from, deals held out and deals only tested on, with the labels they use.

It comes from the corpus, or from a company's own labelled deals with or without the corpus beside them. How own sources are read stands in
`training.own_deals`, how our reasons become own ones in `training.crosswalk`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy, read_taxonomy
from training.config import TrainConfig
from training.corpus import CorpusError, LabelledDeal, Labels, corpus_digest, read_corpus, split_held_out
from training.crosswalk import certain_codes, read_crosswalk
from training.inputs import Unreadable, source_digest
from training.own_deals import Columns, OwnDeals, labels_found, read_own_deals
from training.verdict_file import read_verdicts

_HELD_OUT_AT_ONCE = 1_200


@dataclass(frozen=True)
class Material:
    """What a run learns from and is measured on.

    Args:
        learn: Deals to learn from.
        held_out: Deals for calibration and evaluation.
        test: Deals that a published split keeps for testing alone; often none.
        taxonomy: The labels.
        digest: Hash of the files.
        verdicts: How many of the deals were judged by people at work, rather than written for the corpus.
        replay: Deals of the corpus that may be learned beside own ones, in the order in which they are taken.
        newest: Own deals lost since the day that was named; measured on, never learned from or calibrated on.
        ours: For each reason the shipped ones it stands for.
        unreadable: Rows that cannot be read.
        unlabelled: Places of rows that have no label and are left out.
        places: Where own deals stand, by id.
        left_out: How many older deals are left out because their account has a newest one.
    """

    learn: list[LabelledDeal]
    held_out: list[LabelledDeal]
    test: list[LabelledDeal]
    taxonomy: Taxonomy
    digest: str
    verdicts: int = 0
    replay: list[LabelledDeal] = field(default_factory=list)
    newest: list[LabelledDeal] = field(default_factory=list)
    ours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    unlabelled: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0


@dataclass(frozen=True)
class Sources:
    """Where a run's deals come from.

    Args:
        corpus: Files of the corpus; none: nothing of it is replayed.
        data: A company's labelled deals, see `training.inputs`.
        verdicts: File of exported verdicts.
        taxonomy: YAML file of own labels.
        columns: A company's names of columns.
        since: Own deals lost from this day on are kept for measuring.
    """

    corpus: tuple[Path, ...] = ()
    data: Path | None = None
    verdicts: Path | None = None
    taxonomy: Path | None = None
    columns: Columns = field(default_factory=Columns)
    since: date | None = None


def corpus_material(paths: Sequence[Path], config: TrainConfig, verdicts: Path | None = None) -> Material:
    """Gives the corpus, and the verdicts beside it, split; the same for the same files and settings.

    Args:
        paths: Labelled files.
        config: `held_out` and `deals` choose; verdicts are all used. `seed` gives the order, not the split.
        verdicts: File of exported verdicts; all deals of an account come to one side of the split.

    Raises:
        CorpusError: A line that cannot be read.
    """
    deals = read_corpus(paths)
    judged = read_verdicts(verdicts) if verdicts else []
    random.Random(config.seed).shuffle(deals)
    used = [*deals[: config.deals or None], *judged]
    learn, held_out = split_held_out(used, share=config.held_out)
    digest = corpus_digest([*paths, *([verdicts] if verdicts else [])])
    return Material(learn, held_out, [], get_default_taxonomy(), digest, verdicts=len(judged))


def folder_material(folder: Path, taxonomy: Path | None, config: TrainConfig) -> Material:
    """Gives the labelled texts of a folder, split, without the corpus.

    A file whose name begins with `test` is only tested on; one that begins with `val`, `dev` or `held_out` is held out. Without such
    a file a share of the others is held out.

    Args:
        folder: See `training.inputs.read_rows`.
        taxonomy: YAML file of the labels; without it the labels found are the labels.
        config: `seed`, `held_out` and `deals` choose.

    Raises:
        CorpusError: The folder holds no such file, or a row is unreadable or uses a label that the taxonomy does not know.
        TaxonomyError: The taxonomy file is unusable.
    """
    material = own_material(Sources(data=folder, taxonomy=taxonomy), config)
    for row in material.unreadable:
        between = ", " if row.fault.startswith("field") else ": "
        raise CorpusError(f"{row.place}{between}{row.fault}.")
    return material


def own_material(sources: Sources, config: TrainConfig) -> Material:
    """Gives a company's own deals, split by account, with the corpus translated to their labels beside them where it is given.

    Args:
        sources: Where they come from.
        config: `seed`, `held_out` and `deals` choose.

    Raises:
        CorpusError: A source cannot be read at all.
        TaxonomyError: The taxonomy file is unusable.
    """
    shipped = get_default_taxonomy()
    named = _with_elements(read_taxonomy(sources.taxonomy), shipped) if sources.taxonomy else None
    own = _read(sources, named)
    known = named or _taxonomy_of(own, shipped, is_ours=bool(sources.corpus or sources.verdicts))
    ours = read_crosswalk(known, shipped.codes) if sources.corpus or named else {}
    replay, replay_held_out = _replayed(sources.corpus, config, known, certain_codes(ours))
    if not replay and all(one.is_partial for one in own.deals):
        known = known.model_copy(update={"elements": ()})
    newest, older, left_out = _newest(own.deals, sources.since)
    parts = {name: [one for one in part if one.deal.id in older] for name, part in own.parts.items()}
    learn, held_out = parts["learn"], parts["held_out"]
    random.Random(config.seed).shuffle(learn)
    learn = learn[: config.deals or None]
    if not held_out:
        learn, held_out = split_held_out(learn, share=config.held_out)
    return Material(
        learn,
        [*held_out, *replay_held_out],
        parts["test"],
        known,
        _digest(sources),
        verdicts=len(own.deals),
        replay=replay,
        newest=newest,
        ours=ours,
        unreadable=own.unreadable,
        unlabelled=own.unlabelled,
        places=own.places,
        left_out=left_out,
    )


def _read(sources: Sources, taxonomy: Taxonomy | None) -> OwnDeals:
    """Gives the deals of data and verdicts together."""
    given = [source for source in (sources.data, sources.verdicts) if source]
    wanted = taxonomy or (get_default_taxonomy() if sources.verdicts else None)
    found = [read_own_deals(source, sources.columns, wanted) for source in given]
    parts = {name: [one for own in found for one in own.parts[name]] for name in ("learn", "held_out", "test")}
    places = {deal_id: place for own in found for deal_id, place in own.places.items()}
    twice = [one for own in found[1:] for one in own.deals if one.deal.id in found[0].places]
    faults = [Unreadable(places[one.deal.id], "field 'id': stands in --data too; keep one row a deal") for one in twice]
    unreadable = [fault for own in found for fault in own.unreadable] + faults
    return OwnDeals(parts, places, tuple(unreadable), tuple(place for own in found for place in own.unlabelled))


def _with_elements(taxonomy: Taxonomy, shipped: Taxonomy) -> Taxonomy:
    return taxonomy if taxonomy.elements else taxonomy.model_copy(update={"elements": shipped.elements})


def _taxonomy_of(own: OwnDeals, shipped: Taxonomy, *, is_ours: bool) -> Taxonomy:
    """Gives the shipped labels where own deals use no other and corpus or verdicts speak in them, else the labels found."""
    found = _with_elements(labels_found(own.deals), shipped)
    return shipped if is_ours and set(found.codes) <= set(shipped.codes) else found


def _replayed(
    corpus: Sequence[Path], config: TrainConfig, taxonomy: Taxonomy, codes: Mapping[str, str]
) -> tuple[list[LabelledDeal], list[LabelledDeal]]:
    """Gives deals of the corpus in own codes to learn and to hold out, always with the share of the shipped bundle."""
    if not corpus or not codes:
        return [], []
    whole = corpus_material(corpus, TrainConfig(deals=config.deals))
    learn, held_out = (
        [found for one in part if (found := translated(one, codes, elements=taxonomy.element_codes)) is not None]
        for part in (whole.learn, whole.held_out)
    )
    return learn, held_out[:_HELD_OUT_AT_ONCE]


def translated(labelled: LabelledDeal, codes: Mapping[str, str], *, elements: Collection[str]) -> LabelledDeal | None:
    """Gives a deal of the corpus in own codes, or None where one of its reasons has no certain own code.

    Args:
        labelled: The deal.
        codes: Own code by ours.
        elements: Own elements of the profile; what is said of others is left out.
    """
    if not {code for labels in labelled.views for code in labels.reasons} <= set(codes):
        return None
    labels, note, buyer = (
        _translated(one, codes, elements) if one is not None else None
        for one in (labelled.labels, labelled.note, labelled.buyer)
    )
    return replace(labelled, labels=labels, note=note, buyer=buyer) if labels else None


def _translated(labels: Labels, codes: Mapping[str, str], elements: Collection[str]) -> Labels:
    evidence: dict[str, tuple[str, ...]] = {}
    for code, quotes in labels.evidence.items():
        own = codes.get(code, code)
        evidence[own] = tuple(dict.fromkeys((*evidence.get(own, ()), *quotes)))
    reasons = tuple(dict.fromkeys(codes[code] for code in labels.reasons))
    profile = {element: state for element, state in labels.meddpicc.items() if element in elements}
    changed = {"primary": codes[labels.primary], "reasons": reasons, "evidence": evidence, "meddpicc": profile}
    return labels.model_copy(update=changed)


def _newest(deals: Iterable[LabelledDeal], since: date | None) -> tuple[list[LabelledDeal], set[str], int]:
    """Gives deals lost since a day, the ids of the others, and how many others are left out with the accounts of the newest."""
    own = list(deals)
    if since is None:
        return [], {one.deal.id for one in own}, 0
    newest = [one for one in own if str(one.meta.get("day") or "") >= since.isoformat()]
    groups, ids = {one.group for one in newest}, {one.deal.id for one in newest}
    older = [one for one in own if one.deal.id not in ids]
    kept = {one.deal.id for one in older if one.group not in groups}
    if not newest:
        raise CorpusError(
            f"--holdout-since {since}: no deal with a day from then on; name an earlier day or map closed_at."
        )
    return newest, kept, len(older) - len(kept)


def _digest(sources: Sources) -> str:
    """Gives a hash of all files that the deals come from; of verdicts beside the corpus the one that `corpus_material` gives."""
    if sources.verdicts and sources.corpus and not (sources.data or sources.taxonomy):
        return corpus_digest([*sources.corpus, sources.verdicts])
    files = [source_digest(source) for source in (sources.data, sources.verdicts) if source]
    if sources.taxonomy:
        files.append(hashlib.sha256(sources.taxonomy.read_bytes()).hexdigest())
    if sources.corpus:
        files.append(corpus_digest(sources.corpus))
    return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()[:16]
