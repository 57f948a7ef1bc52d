"""The deals a gate judges on: a golden set that stays the same, and a company's newest verdicts, without any that a bundle knows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossnlp.bundle import Bundle
from lossnlp.taxonomy import Taxonomy
from training.config import run_of
from training.corpus import CorpusError, LabelledDeal, corpus_files, read_corpus
from training.learned import Known, marks
from training.material import corpus_material
from training.verdict_file import read_verdicts

MOST_VERDICTS = 1000


@dataclass(frozen=True)
class JudgedOn:
    """Deals that count, and why others do not.

    Args:
        deals: Those that are new to both bundles.
        digest: Hash of their words and labels.
        learned: How many were left out because a bundle learned from them.
        uneven: How many were left out because one bundle alone was calibrated on them.
    """

    deals: list[LabelledDeal]
    digest: str
    learned: int = 0
    uneven: int = 0


def golden_set(file: Path | None, champion: Bundle, known: tuple[Known, Known]) -> JudgedOn:
    """Gives the golden deals that neither bundle learned from and that gave neither alone its calibration.

    Args:
        file: Labelled deals in the form of the corpus; None: what the champion's run holds out of the shipped corpus.
        champion: The bundle in service.
        known: What the champion and the challenger have seen.

    Raises:
        LossNlpError: The file or the champion's record of its run is unusable.
    """
    deals = _read_golden(file) if file else corpus_material(corpus_files(), run_of(champion)[0]).held_out
    _check_codes(deals, champion.taxonomy)
    fresh = [one for one in deals if not any(side.has_learned(one) for side in known)]
    even = [one for one in fresh if len({side.was_calibrated_on(one) for side in known}) == 1]
    return JudgedOn(even, deals_digest(even), learned=len(deals) - len(fresh), uneven=len(fresh) - len(even))


def newest_verdicts(file: Path | None, golden: Sequence[LabelledDeal], known: tuple[Known, Known]) -> JudgedOn:
    """Gives the newest verdicts that neither bundle learned from, newest first; none without a file.

    A calibration may have been fitted on them: what is read off them, the choice of the primary reason and of reasons, hardly rests on it.

    Args:
        file: File of `lossnlp-serve verdicts export`.
        golden: Golden deals, which do not count twice.
        known: What the champion and the challenger have seen.

    Raises:
        CorpusError: The file cannot be read.
    """
    if file is None:
        return JudgedOn([], deals_digest([]))
    counted = {mark for one in golden for mark in marks(one)}
    deals = [one for one in read_verdicts(file) if counted.isdisjoint(marks(one))]
    fresh = [one for one in deals if not any(side.has_learned(one) for side in known)]
    newest = sorted(fresh, key=lambda one: str(one.meta.get("judged_on", "")), reverse=True)[:MOST_VERDICTS]
    return JudgedOn(newest, deals_digest(newest), learned=len(deals) - len(fresh))


def deals_digest(deals: Sequence[LabelledDeal]) -> str:
    """Gives a hash of the deals' words and labels, whatever their order."""
    lines = sorted(f"{one.deal.model_dump_json()} {one.labels.model_dump_json()}" for one in deals)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _read_golden(file: Path) -> list[LabelledDeal]:
    try:
        return read_corpus([file])
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{file.name} cannot be read; name a file of labelled deals.", field="golden") from error


def _check_codes(deals: Sequence[LabelledDeal], taxonomy: Taxonomy) -> None:
    for one in deals:
        strange = sorted({*one.labels.reasons, one.labels.primary} - set(taxonomy.codes))
        if strange:
            raise CorpusError(
                f"Golden deal '{one.deal.id}', field 'labels.reasons': the champion has no label '{strange[0]}'; mend the deal.",
                field="golden",
            )
