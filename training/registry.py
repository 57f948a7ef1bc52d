"""The registry: every run in MLflow, the bundle as a pyfunc model, tracking in a local SQLite file unless told otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature

from training.config import TrainConfig

EXPERIMENT = "lossnlp"
MODEL_NAME = "lossnlp"
_LOCAL = "sqlite:///mlflow.db"
_EXAMPLE = pd.DataFrame({"id": ["deal-1"], "text": ["Lost to Gong on price, 30% lower."], "closed_at": ["2026-11-20"]})
_ANSWER = pd.DataFrame({"deal_id": ["deal-1"], "primary": ["price"], "confidence": [0.9], "assessment": ["{}"]})


@contextmanager
def recorded_run(config: TrainConfig, *, tags: Mapping[str, str]) -> Iterator[str]:
    """Opens an MLflow run with the settings as parameters, and gives its id.

    Args:
        config: The settings.
        tags: What the run rests on: corpus, taxonomy, code version.
    """
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", _LOCAL))
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        weights = {f"weights.{name}": value for name, value in config.weights.model_dump().items()}
        mlflow.log_params(config.model_dump(exclude={"weights"}) | weights)
        mlflow.set_tags(dict(tags))
        yield run.info.run_id


def record_losses(epoch: int, losses: Mapping[str, float]) -> None:
    """Logs the mean losses of an epoch."""
    mlflow.log_metrics({f"loss.{name}": value for name, value in losses.items()}, step=epoch)


def record_figures(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Logs the evaluation's figures, each under its group."""
    mlflow.log_metrics({f"{group}.{name}": value for group, named in figures.items() for name, value in named.items()})


def register_bundle(folder: Path, *, requirements: Sequence[str] = ("lossnlp",)) -> str:
    """Logs a bundle as a pyfunc model, registers it and gives its version in the registry.

    The model's code is logged as a file, not pickled.

    Args:
        folder: The bundle.
        requirements: Packages that serve it.
    """
    info = mlflow.pyfunc.log_model(
        name="bundle",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"bundle": str(folder)},
        signature=infer_signature(_EXAMPLE, _ANSWER),
        input_example=_EXAMPLE,
        pip_requirements=list(requirements),
        registered_model_name=MODEL_NAME,
    )
    return str(info.registered_model_version)
