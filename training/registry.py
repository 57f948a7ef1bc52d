"""The registry: every run in MLflow, the bundle as a pyfunc model, tracking in a local SQLite file unless told otherwise."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from mlflow.utils.git_utils import get_git_commit

from lossnlp.bundle import read_bundle
from training.config import TrainConfig

EXPERIMENT = "lossnlp"
MODEL_NAME = "lossnlp"
_MODEL_ID = "model_id"  # a server does not tell it of a version
_LOCAL = "sqlite:///mlflow.db"
_EXAMPLE = pd.DataFrame({"id": ["deal-1"], "text": ["Lost to Gong on price, 30% lower."], "closed_at": ["2026-11-20"]})
_ANSWER = pd.DataFrame({"deal_id": ["deal-1"], "primary": ["price"], "confidence": [0.9], "assessment": ["{}"]})


def connect() -> None:
    """Points MLflow at the server or database of MLFLOW_TRACKING_URI, else at the local file."""
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", _LOCAL))
    mlflow.set_experiment(EXPERIMENT)


@contextmanager
def recorded_run(config: TrainConfig, *, tags: Mapping[str, str]) -> Iterator[str]:
    """Opens an MLflow run with the settings as parameters, and gives its id.

    Args:
        config: The settings.
        tags: What the run rests on: corpus, taxonomy, verdicts; code version and environment are added.
    """
    connect()
    with mlflow.start_run() as run:
        weights = {f"weights.{name}": value for name, value in config.weights.model_dump().items()}
        mlflow.log_params(config.model_dump(exclude={"weights"}) | weights)
        mlflow.set_tags({**tags, **surroundings()})
        mlflow.log_text(_packages(), "environment.txt")
        yield run.info.run_id


def surroundings() -> dict[str, str]:
    """Gives what a run was made with: the code's commit (or that there is none), Python and platform."""
    commit = get_git_commit(str(Path(__file__).parent))
    return {"code": commit or "no checkout", "python": sys.version.split()[0], "platform": platform.platform()}


def _packages() -> str:
    return "\n".join(sorted({f"{one.name}=={one.version}" for one in distributions()})) + "\n"


def record_losses(epoch: int, losses: Mapping[str, float]) -> None:
    """Logs the mean losses of an epoch."""
    mlflow.log_metrics({f"loss.{name}": value for name, value in losses.items()}, step=epoch)


def record_figures(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Logs the evaluation's figures, each under its group."""
    mlflow.log_metrics({f"{group}.{name}": value for group, named in figures.items() for name, value in named.items()})


def register_bundle(folder: Path, *, requirements: Sequence[str] = ("lossnlp",)) -> str:
    """Logs a bundle and its pictures, registers it as the challenger and gives its version in the registry.

    The model's code is logged as a file, not pickled.

    Args:
        folder: The bundle.
        requirements: Packages that serve it.
    """
    manifest = read_bundle(folder).manifest
    for picture in sorted(folder.glob("*.png")):
        mlflow.log_artifact(str(picture), "pictures")
    info = mlflow.pyfunc.log_model(
        name="bundle",
        **model_parts(folder, requirements=requirements),
        registered_model_name=MODEL_NAME,
    )
    version = str(info.registered_model_version)
    made_from = {"corpus": manifest.corpus, "taxonomy": manifest.taxonomy_version}
    tag_version(version, {"bundle": manifest.version, _MODEL_ID: info.model_id, **made_from})
    give_alias("challenger", version)
    return version


def model_parts(folder: Path, *, requirements: Sequence[str] = ("lossnlp",)) -> dict[str, Any]:
    """Gives what MLflow needs to keep a bundle as a pyfunc model, by the names it has for it.

    Args:
        folder: The bundle.
        requirements: Packages that serve it.
    """
    return {
        "python_model": str(Path(__file__).with_name("pyfunc.py")),
        "artifacts": {"bundle": str(folder)},
        "model_config": {"threads": 0},
        "signature": infer_signature(_EXAMPLE, _ANSWER),
        "input_example": _EXAMPLE,
        "pip_requirements": list(requirements),
    }


def find_alias(alias: str) -> str | None:
    """Gives the version that an alias of the model stands for, or None."""
    found = mlflow.MlflowClient().search_registered_models(filter_string=f"name = '{MODEL_NAME}'")
    aliases: Mapping[str, Any] = found[0].aliases if found else {}
    return str(aliases[alias]) if alias in aliases else None


def find_version_of(bundle_version: str) -> str | None:
    """Gives the newest version in the registry that holds a bundle, or None."""
    found = mlflow.MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'")
    versions = [int(one.version) for one in found if one.tags.get("bundle") == bundle_version]
    return str(max(versions)) if versions else None


def fetch_bundle(version: str, folder: Path) -> Path:
    """Fetches the bundle of a version into a folder and gives its place there.

    Args:
        version: Version in the registry.
        folder: Where it goes.
    """
    fetched = mlflow.artifacts.download_artifacts(f"models:/{MODEL_NAME}/{version}", dst_path=str(folder))
    return next(Path(fetched).glob("artifacts/*/manifest.json")).parent


def give_alias(alias: str, version: str) -> None:
    """Lets an alias of the model stand for a version; one that it stood for before loses it."""
    mlflow.MlflowClient().set_registered_model_alias(MODEL_NAME, alias, version)


def take_alias(alias: str) -> None:
    """Takes an alias away from the model."""
    mlflow.MlflowClient().delete_registered_model_alias(MODEL_NAME, alias)


def tag_version(version: str, tags: Mapping[str, str]) -> None:
    """Sets tags of a version."""
    client = mlflow.MlflowClient()
    for name, value in tags.items():
        client.set_model_version_tag(MODEL_NAME, version, name, value)


def record_texts(version: str, texts: Mapping[str, str]) -> None:
    """Logs texts as artifacts of the run that a version came from, by their path there."""
    client = mlflow.MlflowClient()
    run_id = client.get_model_version(MODEL_NAME, version).run_id
    for path, text in texts.items():
        client.log_text(run_id, text, path)


def replace_files(version: str, folder: Path, names: Sequence[str]) -> None:
    """Puts files of a bundle's folder in the place of those that the registry keeps of it.

    Args:
        version: Version in the registry that holds the bundle.
        folder: The bundle.
        names: Files of the folder.
    """
    client = mlflow.MlflowClient()
    model_id = client.get_model_version(MODEL_NAME, version).tags[_MODEL_ID]
    kept = next(one.path for one in client.list_logged_model_artifacts(model_id, "artifacts") if one.is_dir)
    for name in names:
        client.log_model_artifact(model_id, str(folder / name), kept)
