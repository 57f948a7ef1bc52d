"""What a bundle knows already: marks of the deals it learned from and was calibrated on, kept in the bundle. `python -m training.learned`.

A mark is a short hash of a deal's words, of its id, or of what it shares with other deals (account, hard pair); no text can be read
from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lossnlp.bundle import Bundle, find_default_bundle, read_bundle, refresh_manifest
from lossnlp.errors import BundleError, LossNlpError
from training.baseline import text_of
from training.config import TrainConfig, run_of
from training.corpus import LabelledDeal, corpus_files
from training.material import corpus_material
from training.metrics import words

LEARNED = "learned.json"
_HEX_DIGITS = 12


@dataclass(frozen=True)
class Known:
    """Marks of what a bundle has seen.

    Args:
        learned: Of the deals its weights were learned from.
        calibrated: Of the deals its calibration was fitted on.
    """

    learned: frozenset[str]
    calibrated: frozenset[str]

    def has_learned(self, labelled: LabelledDeal) -> bool:
        """Says whether the weights were learned from this deal, from another of its account or pair, or from the same words."""
        return not self.learned.isdisjoint(marks(labelled))

    def find_new(self, deals: Iterable[LabelledDeal]) -> list[LabelledDeal]:
        """Gives those of the deals that the weights were not learned from."""
        return [one for one in deals if not self.has_learned(one)]

    def was_calibrated_on(self, labelled: LabelledDeal) -> bool:
        """Says the same of the calibration."""
        return not self.calibrated.isdisjoint(marks(labelled))


def marks(labelled: LabelledDeal) -> tuple[str, ...]:
    """Gives the marks of a deal: of its words, its id and, where it shares one, its account or hard pair."""
    found = [f"words {' '.join(sorted(words(text_of(labelled.deal))))}", f"id {labelled.deal.id}"]
    if labelled.meta.get("account"):
        found.append(f"account {labelled.meta['account']}")
    elif labelled.meta.get("pair"):
        found.append(f"pair {labelled.group}")
    return tuple(hashlib.sha256(one.encode()).hexdigest()[:_HEX_DIGITS] for one in found)


def write_learned(
    folder: Path,
    *,
    learned: Iterable[LabelledDeal],
    calibrated: Iterable[LabelledDeal],
    before: frozenset[str] = frozenset(),
) -> Known:
    """Writes what a bundle has seen into its folder, and gives it; the manifest has to be written after it.

    Args:
        folder: The bundle.
        learned: Deals its weights were learned from.
        calibrated: Deals its calibration was fitted on.
        before: Marks of what the bundle it began from had learned, and those before that one.
    """
    known = Known(before.union(*map(marks, learned)), frozenset().union(*map(marks, calibrated)))
    found = {"learned": sorted(known.learned), "calibrated": sorted(known.calibrated)}
    (folder / LEARNED).write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
    return known


def read_known(bundle: Bundle) -> Known:
    """Gives what a bundle has seen.

    Raises:
        BundleError: The bundle keeps no such record, or it is not under the manifest's hash.
    """
    if LEARNED not in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder} does not say which deals it learned from, so no deal can be known to be new to it; train it "
            "anew, or add the record with python -m training.learned and the very files it was trained from."
        )
    try:
        found = json.loads(bundle.path(LEARNED).read_bytes())
        return Known(frozenset(found["learned"]), frozenset(found["calibrated"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{bundle.folder}: {LEARNED} is damaged; copy the bundle anew.") from error


def add_record(
    folder: Path, corpus: Sequence[Path], verdicts: Path | None = None, *, start: Path | None = None
) -> Known:
    """Adds the record to a bundle that was trained before there was one, and gives it.

    Args:
        folder: The bundle.
        corpus: The very files it was trained from.
        verdicts: The file of verdicts beside them, where there was one.
        start: The bundle it began from, where it began from one; None: the shipped one.

    Raises:
        LossNlpError: The bundle is unusable, or these are other files than those that its manifest names by their hash, or it began
            from another bundle.
    """
    bundle = read_bundle(folder)
    config, _ = run_of(bundle)
    before = _learned_before(config.start, start)
    material = corpus_material(corpus, config, verdicts)
    if material.digest != bundle.manifest.corpus:
        raise BundleError(
            f"These files have the digest {material.digest}, but {folder} was trained from {bundle.manifest.corpus}; "
            "name the files it was trained from."
        )
    write_learned(folder, learned=material.learn, calibrated=material.held_out, before=before)
    refresh_manifest(folder)
    return read_known(read_bundle(folder))


def _learned_before(named: str, folder: Path | None) -> frozenset[str]:
    """Gives the marks of what a bundle's start had learned; none for one that began from an encoder."""
    if named == TrainConfig().start:
        return frozenset()
    start = read_bundle(folder or find_default_bundle())
    if named != f"bundle {start.manifest.version}":
        raise BundleError(
            f"It began from {named}, and {start.folder} is {start.manifest.version}; name the bundle it began from with --start."
        )
    return read_known(start).learned


def main() -> None:
    """Adds to a bundle the record of the deals it learned from."""
    ask = argparse.ArgumentParser(prog="python -m training.learned", description=main.__doc__)
    ask.add_argument("--bundle", type=Path, help="bundle folder; default: the shipped one")
    ask.add_argument(
        "--corpus", type=Path, nargs="*", help="labelled files it was trained from; default: training/corpus"
    )
    ask.add_argument("--verdicts", type=Path, help="file of verdicts it was trained from beside them")
    ask.add_argument("--start", type=Path, help="bundle it began from, if it did; default: the shipped one")
    asked = ask.parse_args()
    try:
        bundle, corpus = asked.bundle or find_default_bundle(), asked.corpus or corpus_files()
        known = add_record(bundle, corpus, asked.verdicts, start=asked.start)
    except LossNlpError as error:
        sys.exit(f"training.learned: {error.message}")
    sys.stdout.write(f"{len(known.learned)} marks learned from, {len(known.calibrated)} calibrated on\n")


if __name__ == "__main__":
    main()
