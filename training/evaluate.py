"""Evaluation of a bundle on held-out deals: figures beside a baseline, pictures and the card. `python -m training.evaluate`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lossnlp.bundle import Bundle, find_default_bundle, read_bundle, refresh_manifest
from lossnlp.calibration import read_calibration
from lossnlp.classifier import LossClassifier
from lossnlp.errors import LossNlpError
from training.baseline import Baseline
from training.behaviour import check_behaviour, is_checkable, read_behaviour
from training.calibrate import ReadDealGold, calibrate, judge
from training.card import Measured, RunRecord, write_card
from training.config import run_of
from training.corpus import LabelledDeal, corpus_files
from training.learned import Known, read_known
from training.material import corpus_material
from training.metrics import Judged, evaluate
from training.pictures import write_pictures
from training.verdict_file import BATCH

log = logging.getLogger("training")

_FEWEST = 2  # one half is judged by what was fitted on the other
Figures = dict[str, dict[str, float]]


def read_gold(classifier: LossClassifier, deals: Sequence[LabelledDeal]) -> list[ReadDealGold]:
    """Gives labelled deals as the bundle's network reads them."""
    return [
        ReadDealGold(labelled, classifier.read(labelled.deal))
        for labelled in tqdm(deals, desc="reading held-out deals", disable=None, unit="deal")
    ]


def judge_crosswise(classifier: LossClassifier, read: Sequence[ReadDealGold], *, target: float) -> list[Judged]:
    """Gives the assessments of deals, each half under the calibration that was fitted on the other.

    Args:
        classifier: The bundle.
        read: Held-out deals, read by it.
        target: Precision of accepted values, 0 to 1.
    """
    halves = read[::2], read[1::2]
    judged: list[Judged] = []
    for fitted_on, judged_on in (halves, halves[::-1]):
        judged.extend(judge(classifier, judged_on, calibrate(classifier, fitted_on, target_precision=target)))
    return judged


def find_shown(known: Known, held_out: Sequence[LabelledDeal]) -> list[LabelledDeal]:
    """Gives the held-out deals to measure a bundle on: those that it has not learned from under another name.

    Where next to none is left all are given, and the log warns.

    Args:
        known: What the bundle has seen.
        held_out: The deals that its run held out.
    """
    new = known.find_new(held_out)
    if len(new) < _FEWEST:
        log.warning("all held-out deals share their words with deals learned from: figures will look too good")
        return list(held_out)
    left_out = len(held_out) - len(new)
    log.info(
        "%d of %d held-out deals are left out: they share words, id or account with deals learned from",
        left_out,
        len(held_out),
    )
    return new


def by_group(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Gives assessments by the kind of their deals' documents, and of own deals beside the corpus; groups without any are left out."""
    own = [one for one in judged if one.gold.batch == BATCH]
    groups = {
        "all": list(judged),
        "notes": [one for one in judged if one.gold.note is not None and one.gold.buyer is None],
        "statements": [one for one in judged if one.gold.note is None and not one.gold.has_calls],
        "calls and mails": [one for one in judged if one.gold.has_calls],
        "own": own if len(own) < len(judged) else [],
    }
    return {name: group for name, group in groups.items() if group}


def write_evaluation(bundle: Bundle, judged: Sequence[Judged], record: RunRecord) -> Figures:
    """Writes figures, pictures and card of a bundle, signs it again and gives the figures by group of deals.

    Args:
        bundle: The bundle.
        judged: Its assessments of held-out deals.
        record: The run it came from and the baseline's figures.
    """
    groups = by_group(judged)
    figures = {name: evaluate(group) for name, group in groups.items()}
    measured = {
        "held_out": figures,
        "baseline": record.baseline,
        "settings": record.config.model_dump(),
        "learned": record.learned,
        "left_out": record.left_out,
        "verdicts": record.verdicts,
    }
    bundle.path("metrics.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    write_pictures(bundle.folder, groups)
    calibration = read_calibration(bundle.path("calibration.json"))
    outcomes = check_behaviour(LossClassifier(bundle), read_behaviour()) if is_checkable(bundle.taxonomy) else []
    found = Measured(figures, outcomes)
    write_card(bundle.folder, manifest=bundle.manifest, calibration=calibration, record=record, measured=found)
    refresh_manifest(bundle.folder)
    return figures


def evaluate_bundle(folder: Path, corpus: Sequence[Path], verdicts: Path | None = None) -> Figures:
    """Measures a bundle again on the deals that its run held out, writes what `write_evaluation` writes and gives the figures.

    Args:
        folder: The bundle; its `metrics.json` names the settings it was trained with.
        corpus: The labelled files it was trained from.
        verdicts: The file of verdicts that it was trained from beside them, where there was one.

    Raises:
        LossNlpError: The bundle or the corpus is unusable.
    """
    bundle = read_bundle(folder)
    config, learned = run_of(bundle)
    material = corpus_material(corpus, config, verdicts)
    if material.digest != bundle.manifest.corpus:
        log.warning(
            "these are not the labelled files the bundle was trained from: held-out deals may have been learned"
        )
    shown = find_shown(read_known(bundle), material.held_out)
    classifier = LossClassifier(bundle)
    judged = judge_crosswise(classifier, read_gold(classifier, shown), target=config.target_precision)
    baseline = Baseline(material.learn, material.taxonomy).evaluate(shown)
    counts = {"held_out": len(material.held_out), "left_out": len(material.held_out) - len(shown)}
    record = RunRecord(config, learned or len(material.learn), **counts, baseline=baseline, verdicts=material.verdicts)
    return write_evaluation(bundle, judged, record)


def main() -> None:
    """Evaluates a bundle and prints its figures."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    ask = argparse.ArgumentParser(prog="python -m training.evaluate", description=main.__doc__)
    ask.add_argument("--bundle", type=Path, default=None, help="bundle folder; default: the shipped one")
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument("--verdicts", type=Path, help="file of verdicts that the bundle was trained from too")
    asked = ask.parse_args()
    try:
        corpus = asked.corpus or corpus_files()
        figures = evaluate_bundle(asked.bundle or find_default_bundle(), corpus, asked.verdicts)
    except LossNlpError as error:
        sys.exit(f"training.evaluate: {error.message}")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
