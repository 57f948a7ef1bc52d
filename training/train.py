"""A training run from corpus to bundle, top to bottom: `python -m training.train`."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from rich.console import Console
from tqdm import tqdm

from lossnlp.bundle import read_bundle, write_manifest
from lossnlp.calibration import Calibration, write_calibration
from lossnlp.classifier import LossClassifier
from lossnlp.errors import LossNlpError
from lossnlp.heads import Layout
from lossnlp.windows import WindowMaker, read_tokenizer
from training import registry
from training.baseline import Baseline
from training.calibrate import calibrate
from training.card import RunRecord
from training.config import TrainConfig
from training.corpus import LabelledDeal, corpus_files
from training.data_check import as_table, check_material
from training.evaluate import Figures, find_shown, judge_crosswise, read_gold, write_evaluation
from training.examples import Example, ExampleMaker
from training.export import export_network
from training.few_labels import Choice
from training.few_run import find_course, fit_few
from training.fit import fit, measure_token_s
from training.heads_fit import CORPUS_PER_OWN, is_for_heads, learn_heads, read_tokens
from training.learned import write_learned
from training.material import Material, corpus_material, own_material
from training.metrics import Judged, evaluate
from training.network import LossNetwork
from training.options import budget_of, find_start, make_config, read_arguments, sources_of
from training.plan import Budget, Plan, find_plan, keep_plan, make_plan, most_replayed, plan_key
from training.promote import NOT_COMPARED, Asked, put_before_the_gate
from training.starting import Start, start_from_bundle, start_from_encoder, start_small

log = logging.getLogger("training")
_BEGUN_S = time.monotonic()


@dataclass(frozen=True)
class Places:
    """Where a run writes.

    Args:
        bundle: Folder the bundle goes to.
        work: Folder of the resumable state.
    """

    bundle: Path
    work: Path


@dataclass(frozen=True)
class Ways:
    """How a run is made.

    Args:
        smoke: Begin from a small untrained encoder instead of the configured one.
        record: Log the run in MLflow and register the bundle.
        baseline: Measure the baseline on the same deals too.
        bundle: Bundle to begin from; None: the configured encoder.
        budget: What the learning has to fit into, and how much of the corpus it replays.
    """

    smoke: bool = False
    record: bool = True
    baseline: bool = True
    bundle: Path | None = None
    budget: Budget = field(default_factory=Budget)


def run(config: TrainConfig, material: Material, places: Places, ways: Ways | None = None) -> Figures:
    """Trains, calibrates, evaluates and exports a bundle, and gives its figures on held-out deals by group.

    Args:
        config: The settings.
        material: What to learn from and to measure on.
        places: Where to write.
        ways: How it is made.

    Raises:
        LossNlpError: The encoder or the bundle to begin from is unusable.
    """
    ways = ways or Ways()
    _seed(config.seed)
    counted = (len(material.learn), len(material.held_out), material.verdicts)
    log.info("%d deals to learn from, %d held out; %d of them verdicts", *counted)
    tags = {"corpus": material.digest, "taxonomy": material.taxonomy.version, "verdicts": str(material.verdicts)}
    with registry.recorded_run(config, tags=tags) if ways.record else _unrecorded():
        start = _begin(config, material, ways)
        planned, learned = _fitted(config, material, places, start=start, ways=ways)
        export_network(
            start.network.cpu(),
            places.bundle,
            storage=config.storage,
            tokenizer=start.tokenizer,
            taxonomy=material.taxonomy,
        )
        seen = {"learned": learned.learn, "calibrated": learned.held_out}
        shown = find_shown(write_learned(places.bundle, **seen, before=start.learned), learned.held_out)
        beside = _baseline(learned, shown) if ways.baseline else {}
        figures = _measured(planned, learned, places, shown=shown, baseline=beside)
        if ways.record:
            registry.record_figures(figures | {"baseline": beside})
            log.info("registered as version %s", registry.register_bundle(places.bundle))
    return figures


def _unrecorded() -> AbstractContextManager[None]:
    return nullcontext()


def _baseline(material: Material, shown: list[LabelledDeal]) -> dict[str, float]:
    figures = Baseline(material.learn, material.taxonomy).evaluate(material.test or shown)
    log.info("baseline: primary accuracy %.3f", figures["primary.accuracy"])
    return figures


def _begin(config: TrainConfig, material: Material, ways: Ways) -> Start:
    layout = Layout(material.taxonomy.codes, material.taxonomy.element_codes)
    if ways.smoke:
        return start_small(layout)
    if ways.bundle is not None:
        return start_from_bundle(ways.bundle, layout, ours=material.ours)
    return start_from_encoder(config.encoder, layout, layers=config.layers)


def _fitted(
    config: TrainConfig, material: Material, places: Places, *, start: Start, ways: Ways
) -> tuple[TrainConfig, Material]:
    """Fits the start's network in place, and gives the settings and the material as they were planned."""
    maker = ExampleMaker(
        WindowMaker(read_tokenizer(start.tokenizer), max_tokens=config.max_tokens), start.network.layout
    )
    course = find_course(config, material, ways.bundle)
    if course:
        start.network.reader.to(config.device)
        return _chosen(config, fit_few(start.network, maker, material.learn, course), ways), material
    config = config.model_copy(update={"few_labels": "off"})
    if is_for_heads(config, material, ways.bundle):
        return _heads_learned(config, material, maker, start=start, ways=ways)
    config = config.model_copy(update={"learns": "whole"})
    examples = [maker.make(one) for one in tqdm(material.learn, desc="reading deals", disable=None, unit="deal")]
    most = most_replayed(len(material.learn), len(material.replay), ways.budget)
    chosen = tqdm(material.replay[:most], desc="reading corpus", disable=None, unit="deal")
    replay = [maker.make(one) for one in chosen]
    start.network.reader.to(config.device)
    plan = _planned(config, material, places, Known(start.network, examples, replay, ways.budget))
    log.info("plan: %s", plan.said)
    planned = config.model_copy(update={"epochs": plan.epochs})
    callback = registry.record_losses if ways.record else _log_losses
    learned = [*examples, *replay[: plan.replayed]]
    fit(start.network, learned, config=planned, folder=places.work, on_epoch=callback)
    return planned, replace(material, learn=[*material.learn, *material.replay[: plan.replayed]])


def _heads_learned(
    config: TrainConfig, material: Material, maker: ExampleMaker, *, start: Start, ways: Ways
) -> tuple[TrainConfig, Material]:
    """Fits the heads of the start's network in place, and gives the settings and what was learned."""
    most = most_replayed(len(material.learn), len(material.replay), ways.budget, each=CORPUS_PER_OWN)
    start.network.reader.to(config.device)
    own, corpus = (
        read_tokens(start.network, [maker.make(one) for one in deals], storage=config.storage)
        for deals in (material.learn, material.replay[:most])
    )
    choice = learn_heads(start.network, own, corpus, groups=[one.group for one in material.learn], config=config)
    log.info("%s", choice.said)
    if ways.record:
        registry.record_figures({"heads": {one.stage.replace(" ", "_"): one.mean for one in choice.tried}})
    learned = [*material.learn, *material.replay[:most]]
    return config.model_copy(update={"learns": "heads"}), replace(material, learn=learned)


def _chosen(config: TrainConfig, choice: Choice, ways: Ways) -> TrainConfig:
    """Gives the settings with the stage that was chosen, after saying which and why."""
    log.info("%s", choice.said)
    if ways.record:
        registry.record_figures({"few_labels": {one.stage: one.mean for one in choice.tried}})
    return config.model_copy(update={"few_labels": choice.chosen.stage})


@dataclass(frozen=True)
class Known:
    """What a plan is made from: the network, own examples, those that may be replayed, and the budget."""

    network: LossNetwork
    own: list[Example]
    replay: list[Example]
    budget: Budget


def _planned(config: TrainConfig, material: Material, places: Places, known: Known) -> Plan:
    """Gives the plan that is kept for this run, else a new one, which is kept."""
    key = plan_key(config, material.digest, known.budget)
    kept = find_plan(places.work, key)
    if kept is not None:
        return kept
    is_bound = known.budget.minutes is not None
    tried = [*known.own, *known.replay[: len(known.own)]]
    token_s = measure_token_s(known.network, tried, config) if is_bound else 0.0
    budget = known.budget.model_copy(update={"spent_s": time.monotonic() - _BEGUN_S})
    plan = make_plan(known.own, known.replay, config=config, budget=budget, token_s=token_s)
    plan = plan.model_copy(update={"key": key})
    keep_plan(places.work, plan)
    return plan


def _log_losses(epoch: int, losses: dict[str, float]) -> None:
    log.info("epoch %d: loss %.3f", epoch, sum(losses.values()))


def _measured(
    config: TrainConfig,
    material: Material,
    places: Places,
    *,
    shown: list[LabelledDeal],
    baseline: dict[str, float],
) -> Figures:
    """Calibrates the exported bundle on the held-out deals, evaluates it crosswise on those shown, and gives the figures by group."""
    write_calibration(places.bundle, Calibration())
    _sign(config, material, places)
    classifier = LossClassifier(read_bundle(places.bundle))
    read = read_gold(classifier, material.held_out)
    ids = {one.deal.id for one in shown}
    judged = judge_crosswise(
        classifier, [one for one in read if one.labelled.deal.id in ids], target=config.target_precision
    )
    write_calibration(places.bundle, calibrate(classifier, read, target_precision=config.target_precision))
    _sign(config, material, places)
    counts = {"held_out": len(material.held_out), "left_out": len(material.held_out) - len(shown)}
    record = RunRecord(config, len(material.learn), **counts, baseline=baseline, verdicts=material.verdicts)
    figures = write_evaluation(read_bundle(places.bundle), judged, record)
    return figures | _tested(places, material)


def _tested(places: Places, material: Material) -> Figures:
    """Gives the figures on deals that were kept for testing alone, and on the newest ones, where there are any."""
    kept = {name: deals for name, deals in (("test", material.test), ("newest", material.newest)) if deals}
    if not kept:
        return {}
    classifier = LossClassifier(read_bundle(places.bundle))
    return {name: evaluate([Judged(one, classifier.assess(one.deal)) for one in deals]) for name, deals in kept.items()}


def _sign(config: TrainConfig, material: Material, places: Places) -> None:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_manifest(
        places.bundle,
        encoder=config.encoder,
        max_tokens=config.max_tokens,
        corpus=material.digest,
        made_at=made_at,
    )


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the old generator
    torch.manual_seed(seed)


def main() -> None:
    """Runs a training with the settings of the command line; with `--promote` it ends with the gate's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    asked = read_arguments()
    places = Places(bundle=asked.output, work=asked.work)
    try:
        bundle = find_start(asked)
        config = make_config(asked, bundle)
        material = (
            own_material(sources_of(asked, bundle), config) if asked.data or asked.verdicts else _corpus(asked, config)
        )
        _check(material, check_only=asked.check_only)
        ways = Ways(asked.smoke, not asked.no_record, bundle=bundle, budget=budget_of(asked, bundle))
        figures = run(config, material, places, ways)
    except LossNlpError as error:
        _stop(error.message)
    _say_how_long(places)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if asked.promote:
        left = put_before_the_gate(Asked(str(places.bundle), asked.golden, asked.verdicts, seed=config.seed))
        _say_how_long(places)
        sys.exit(left)


def _stop(message: str) -> NoReturn:
    sys.stderr.write(f"training.train: {message}\n")
    sys.exit(NOT_COMPARED)


def _say_how_long(places: Places) -> None:
    log.info("bundle in %s after %.1f minutes", places.bundle, (time.monotonic() - _BEGUN_S) / 60)


def _corpus(asked: argparse.Namespace, config: TrainConfig) -> Material:
    return corpus_material(asked.corpus or corpus_files(), config)


def _check(material: Material, *, check_only: bool) -> None:
    """Prints what is wrong with the deals; ends the run where it cannot be learned from, or where no more was asked for."""
    findings = check_material(material)
    Console(stderr=True).print(as_table(findings, material))
    if any(finding.level == "error" for finding in findings):
        _stop("the data has errors; mend them and run again.")
    if check_only:
        sys.exit(0)


if __name__ == "__main__":
    main()
