"""What each setting is worth: small runs that differ in one setting, several seeds each. `python -m training.ablation`.

Every run learns from the same share of the corpus and is measured on the same held-out deals. Prints a Markdown table of means and
spreads; finished runs are kept in a JSON-lines file, so that a stopped series goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from training.config import LossWeights, TrainConfig
from training.corpus import corpus_files
from training.material import Material, corpus_material
from training.train import Places, Ways, run

FIGURES = (
    "primary.accuracy",
    "reasons.micro_f1",
    "meddpicc.gap_micro_f1",
    "external_only.f1",
    "winback.macro_f1",
    "competitors.micro_f1",
    "evidence.word_iou",
)
_ROWS = Path(__file__).with_name("ablation.yaml")
_SMALL = {
    "encoder": "sentence-transformers/all-MiniLM-L6-v2",
    "layers": 0,
    "frozen_layers": 0,
    "epochs": 3,
    "quantized_epochs": 1,
}
_DRAW = 1


def settings(row: dict[str, Any], *, seed: int) -> TrainConfig:
    """Gives the settings of one run.

    Args:
        row: Settings that differ from a small run's; `name` is left out, `weights` may be given in part.
        seed: Of everything that is drawn in training.
    """
    changes = {key: value for key, value in row.items() if key != "name"}
    weights = LossWeights(**changes.pop("weights", {}))
    return TrainConfig(**(_SMALL | changes), seed=seed, weights=weights)


def small_material(deals: int) -> Material:
    """Gives `deals` notes and statements to learn from and all those held out; whole calls are left out to save time."""
    whole = corpus_material(corpus_files(), TrainConfig())
    learn = [one for one in whole.learn if not one.has_calls]
    random.Random(_DRAW).shuffle(learn)
    return replace(whole, learn=learn[:deals], held_out=[one for one in whole.held_out if not one.has_calls])


def _run_all(
    rows: Iterable[dict[str, Any]], *, seeds: int, deals: int, kept: Path
) -> dict[str, list[dict[str, float]]]:
    done = [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    material = small_material(deals)
    found: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        for seed in range(seeds):
            config = settings(row, seed=seed)
            key = {"corpus": material.digest, "deals": deals, "settings": config.model_dump()}
            figures = next((one["figures"] for one in done if one["key"] == key), None)
            if figures is None:
                figures = _run_one(config, material)
                with kept.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"key": key, "figures": figures}) + "\n")
            found.setdefault(row["name"], []).append(figures)
    return found


def _run_one(config: TrainConfig, material: Material) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        places = Places(bundle=Path(folder) / "bundle", work=Path(folder) / "state")
        figures = run(config, material, places, Ways(record=False, baseline=False))
    return {name: figures["all"][name] for name in FIGURES}


def as_table(found: dict[str, list[dict[str, float]]]) -> str:
    """Gives a Markdown table, a row for each change, of means and standard deviations over its seeds.

    Args:
        found: The figures of each seed's run, by the name of the change.
    """
    lines = ["| change | " + " | ".join(FIGURES) + " |", "| --- |" + " --- |" * len(FIGURES)]
    for name, runs in found.items():
        cells = [_mean_and_spread([figures[figure] for figures in runs]) for figure in FIGURES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean_and_spread(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"


def main() -> None:
    """Runs what is not yet done and prints the table."""
    ask = argparse.ArgumentParser(prog="python -m training.ablation", description=__doc__.splitlines()[0])
    ask.add_argument("--rows", type=Path, default=_ROWS, help="YAML file of changes (default: %(default)s)")
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--deals", type=int, default=2000, help="deals to learn from (default: %(default)s)")
    ask.add_argument("--kept", type=Path, default=Path("runs/ablation.jsonl"), help="where finished runs are kept")
    asked = ask.parse_args()
    asked.kept.parent.mkdir(parents=True, exist_ok=True)
    rows = yaml.safe_load(asked.rows.read_text(encoding="utf-8"))
    sys.stdout.write(as_table(_run_all(rows, seeds=asked.seeds, deals=asked.deals, kept=asked.kept)) + "\n")


if __name__ == "__main__":
    main()
