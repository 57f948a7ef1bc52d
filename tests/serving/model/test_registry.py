"""The champion of an MLflow registry, over a stand-in of its REST interface and over a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from lossnlp.bundle import MANIFEST, read_bundle
from lossnlp.errors import BundleError
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.metrics import Metrics
from serving.model.following import open_follower
from serving.model.history import ServiceRecord
from serving.model.registry import RegistrySource, open_registry
from serving.model.sources import Named, SourceAwayError
from serving.model.switching import Switch
from serving.settings import Settings
from serving.store import Database
from tests.mlflow_server import QUIET, mlflow_server
from tests.serving.model.conftest import MakeBundle

MLMODEL = "flavors:\n  python_function:\n    artifacts:\n      bundle: {path: artifacts/bundle, uri: elsewhere}\n"


class Registry:
    """A tracking server with one registered model, as far as it is asked."""

    def __init__(self) -> None:
        self.versions: dict[str, Path] = {}
        self.champion = "1"
        self.fetched: list[str] = []
        self.is_away = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_away:
            raise httpx2.ConnectError("refused")
        if request.url.path == "/model-versions/get-artifact":
            return self._file(request.url.params["version"], request.url.params["path"])
        if request.method == "POST":
            self.champion = httpx2.Response(200, content=request.content).json()["version"]
            return httpx2.Response(200, json={})
        version = request.url.params.get("version", self.champion)
        if version not in self.versions:
            return httpx2.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST"})
        return httpx2.Response(200, json={"model_version": {"name": "lossnlp", "version": version}})

    def _file(self, version: str, path: str) -> httpx2.Response:
        self.fetched.append(f"{version}:{path}")
        if path == "MLmodel":
            return httpx2.Response(200, text=MLMODEL)
        file = self.versions[version] / Path(path).name
        return httpx2.Response(200, content=file.read_bytes()) if file.is_file() else httpx2.Response(404)


@pytest.fixture
def registry(make_bundle: MakeBundle) -> Registry:
    stand_in = Registry()
    stand_in.versions = {"1": make_bundle("2026-11-01"), "2": make_bundle("2026-11-02")}
    return stand_in


@pytest.fixture
def source(registry: Registry, tmp_path: Path) -> RegistrySource:
    client = httpx2.Client(base_url="https://mlflow.example/", transport=httpx2.MockTransport(registry))
    return RegistrySource(client, "lossnlp", "champion", tmp_path / "kept")


def test_alias_is_fetched_whole(source: RegistrySource, registry: Registry) -> None:
    folder = source.fetch(source.find_named())
    assert read_bundle(folder).manifest == read_bundle(registry.versions["1"]).manifest
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["lossnlp-1"]


def test_version_is_fetched_once(source: RegistrySource, registry: Registry) -> None:
    source.fetch(Named("1"))
    registry.fetched.clear()
    source.fetch(Named("1"))
    assert registry.fetched == []


def test_altered_version_leaves_nothing_behind(source: RegistrySource, registry: Registry) -> None:
    (registry.versions["1"] / "encoder.bin").write_text("altered", encoding="utf-8")
    with pytest.raises(BundleError, match=r"'encoder\.bin'"):
        source.fetch(Named("1"))
    assert list(source.kept.iterdir()) == []


def test_file_outside_the_bundle_is_never_written(source: RegistrySource, registry: Registry) -> None:
    manifest = registry.versions["1"] / MANIFEST
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("encoder.bin", "../out"), encoding="utf-8")
    with pytest.raises(BundleError, match="which no bundle holds"):
        source.fetch(Named("1"))
    assert not any("out" in path for path in registry.fetched)


def test_registry_that_is_away_changes_nothing(
    source: RegistrySource, registry: Registry, load: Callable[[Path], Assessor], record: ServiceRecord
) -> None:
    follower = open_follower(source, load, every_s=1)
    registry.is_away = True
    assert not follower.look(record, Metrics())
    assert follower.is_away
    registry.is_away, registry.champion = False, "2"
    assert follower.look(record, Metrics())
    assert follower.model.model_version.startswith("2026-11-02")


def test_start_without_registry_takes_the_last_one(
    source: RegistrySource, registry: Registry, load: Callable[[Path], Assessor]
) -> None:
    registry.is_away = True
    with pytest.raises(SourceAwayError):
        open_follower(source, load, every_s=1)
    registry.is_away = False
    source.fetch(Named("2"))
    registry.is_away = True
    assert open_follower(source, load, every_s=1).named == Named("2")


def test_rollback_moves_the_alias(
    source: RegistrySource, registry: Registry, load: Callable[[Path], Assessor], small_database: Database
) -> None:
    switch = Switch(source, "registry:lossnlp@champion", small_database, load)
    switch.use("1", by="Ana", reason="")
    switch.use("2", by="Ana", reason="")
    assert registry.champion == "2"
    switch.roll_back(by="Bo", reason="worse on calls")
    assert registry.champion == "1"


def test_unknown_version_is_one_message(source: RegistrySource) -> None:
    with pytest.raises(BundleError, match="no 'lossnlp@champion' as it was asked for"):
        source.find_bundle("9")


def test_registry_without_a_server_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(ConfigurationError, match="mlflow server --backend-store-uri"):
        open_registry(settings, "registry:lossnlp", alias="champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    with pytest.raises(ConfigurationError, match="names no registered model"):
        open_registry(settings, "registry:", alias="champion")
    assert open_registry(settings, "registry:lossnlp", alias="champion").alias == "champion"


_LOG = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
for bundle in sys.argv[3:]:
    model = mlflow.pyfunc.log_model(
        name="bundle", python_model=sys.argv[2], artifacts={"bundle": bundle}, pip_requirements=[], registered_model_name="lossnlp"
    )
mlflow.MlflowClient().set_registered_model_alias("lossnlp", "champion", 1)
"""
_MODEL = """
import mlflow

class Nothing(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return model_input

mlflow.models.set_model(Nothing())
"""


@pytest.fixture
def mlflow_url(tmp_path: Path, registry: Registry) -> Iterator[str]:
    """A real tracking server with two versions of a model, the first of them the champion."""
    pytest.importorskip("mlflow")
    with mlflow_server(tmp_path) as url:
        (tmp_path / "model.py").write_text(_MODEL, encoding="utf-8")
        bundles = [str(folder) for folder in registry.versions.values()]
        script = [sys.executable, "-c", _LOG, url, str(tmp_path / "model.py"), *bundles]
        subprocess.run(script, check=True, env=os.environ | QUIET, cwd=tmp_path, capture_output=True)
        yield url


@pytest.mark.slow
def test_champion_of_a_real_server_is_followed(
    mlflow_url: str,
    settings: Settings,
    small_database: Database,
    load: Callable[[Path], Assessor],
    record: ServiceRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    source = open_registry(settings, "registry:lossnlp", alias="champion")
    with source.client:
        follower = open_follower(source, load, every_s=1)
        assert follower.model.model_version.startswith("2026-11-01")
        Switch(source, "registry:lossnlp", small_database, load).use("2", by="Ana", reason="")
        assert follower.look(record, Metrics())
    assert follower.model.model_version.startswith("2026-11-02")
