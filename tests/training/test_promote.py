from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from benchmarks.gate_trials import golden_deals
from lossnlp.bundle import read_bundle
from lossnlp.signing import write_key_pair
from tests.mlflow_server import mlflow_server
from tests.training.small_bundle import seal, write_small_bundle
from training import promote, registry
from training.config import TrainConfig
from training.gate import GUARDS, Difference, Guard, Row, Ruling, Shown

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # MLflow and what it brings warn of themselves
NOTES = 110


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    first = write_small_bundle(folder / "first")
    return first, seal(Path(shutil.copytree(first, folder / "second")), margin=2.5)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    deals = [one for one in golden_deals() if one.note is not None and one.buyer is None][:NOTES]
    path = tmp_path_factory.mktemp("golden") / "golden.jsonl"
    rows = [
        {"id": one.deal.id, "documents": [d.model_dump(exclude_none=True) for d in one.deal.documents]}
        | {"labels": one.labels.model_dump()}
        for one in deals
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def versions(server: str, bundles: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", server)
        with registry.recorded_run(TrainConfig(), tags={"corpus": "none"}):
            registry.record_losses(1, {"primary": 2.0})
            registry.record_losses(2, {"primary": 1.0})
            first = registry.register_bundle(bundles[0])
            registry.give_alias("champion", first)
            second = registry.register_bundle(bundles[1])
        yield first, second


def test_run_keeps_settings_curves_and_surroundings(versions: tuple[str, str]) -> None:
    client = mlflow.MlflowClient()
    run = client.get_run(client.get_model_version(registry.MODEL_NAME, versions[0]).run_id)
    assert run.data.params["seed"] == "7"
    assert [one.value for one in client.get_metric_history(run.info.run_id, "loss.primary")] == [2.0, 1.0]
    assert {"corpus", "code", "python", "platform"} <= set(run.data.tags)
    assert "environment.txt" in [one.path for one in client.list_artifacts(run.info.run_id)]


def test_newest_registered_bundle_is_the_challenger(versions: tuple[str, str]) -> None:
    assert (registry.find_alias("champion"), registry.find_alias("challenger")) == versions


def test_registered_bundle_answers_as_pyfunc_without_pickles(versions: tuple[str, str], tmp_path: Path) -> None:
    fetched = Path(mlflow.artifacts.download_artifacts(f"models:/lossnlp/{versions[0]}", dst_path=str(tmp_path)))
    assert not [path for path in fetched.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]
    model = mlflow.pyfunc.load_model(str(fetched))
    assert model.metadata.signature is not None
    answer = model.predict(pd.DataFrame({"id": ["d"], "text": ["Lost on price."], "closed_at": ["2026-11-20"]}))
    assert answer["deal_id"].tolist() == ["d"]


def test_equal_challenger_is_refused_and_says_so(
    versions: tuple[str, str], golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promote.main(["--golden", str(golden)]) == promote.REFUSED
    assert "**refused**" in capsys.readouterr().out
    tags = mlflow.MlflowClient().get_model_version("lossnlp", versions[1]).tags
    assert tags["gate.outcome"] == "refused"
    assert registry.find_alias("champion") == versions[0]


def test_ruling_stands_in_the_card_and_among_the_artifacts(versions: tuple[str, str], tmp_path: Path) -> None:
    fetched = registry.fetch_bundle(versions[1], tmp_path)
    card = read_bundle(fetched).path("MODEL_CARD.md").read_text()
    assert card.startswith("# Model card\n\nA small one.\n\n## Gate\n")
    assert "| primary.accuracy |" in card
    client = mlflow.MlflowClient()
    run_id = client.get_model_version("lossnlp", versions[1]).run_id
    assert {Path(one.path).suffix for one in client.list_artifacts(run_id, "gate")} == {".md", ".json"}


def test_force_promotes_and_keeps_the_reason(versions: tuple[str, str], bundles: tuple[Path, Path]) -> None:
    few = bundles[0] / "none.jsonl"
    given = [versions[1], "--golden", str(few), "--force", "--because", "The old one reads no French."]
    assert promote.main(given) == promote.PROMOTED
    tags = mlflow.MlflowClient().get_model_version("lossnlp", versions[1]).tags
    assert (tags["gate.outcome"], tags["gate.because"]) == ("forced", "The old one reads no French.")
    assert "none.jsonl cannot be read" in tags["gate.obstacle"]
    assert (registry.find_alias("champion"), registry.find_alias("challenger")) == (versions[1], None)


def test_promoted_version_is_signed(
    versions: tuple[str, str], bundles: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    public = write_key_pair(tmp_path / "bundles.key")
    monkeypatch.setenv("LOSSNLP_SIGNING_KEY", str(tmp_path / "bundles.key"))
    registry.give_alias("champion", versions[0])
    given = [versions[1], "--golden", str(bundles[0] / "none.jsonl"), "--force", "--because", "Signed this time."]
    assert promote.main(given) == promote.PROMOTED
    assert read_bundle(registry.fetch_bundle(versions[1], tmp_path), keys=[public])


@pytest.mark.usefixtures("versions")
def test_better_challenger_takes_the_place(
    bundles: tuple[Path, Path], golden: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "primary.accuracy"
    found = Difference(0.7, 0.8, better_by=0.1, low=0.05, high=0.15, deals=110, draws=None)  # type: ignore[arg-type]
    row = Row(name, GUARDS[name], found, holds=True, is_better=True)

    def rule(champion: Shown, challenger: Shown, *, seed: int) -> Ruling:
        assert seed == 7
        return Ruling(champion.version, challenger.version, (row,))

    monkeypatch.setattr(promote, "rule", rule)
    folder = seal(Path(shutil.copytree(bundles[0], tmp_path / "third")), margin=3.0)
    assert promote.main([str(folder), "--golden", str(golden)]) == promote.PROMOTED
    version = registry.find_version_of(read_bundle(folder).manifest.version)
    assert registry.find_alias("champion") == version
    assert "Better beyond luck in primary.accuracy." in (folder / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("given", [["--force"], ["--because", "x"], ["--force", "--because", "  "]])
def test_force_and_reason_stand_together(given: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        promote.main(given)
    assert left.value.code == promote.NOT_COMPARED


def test_local_file_is_the_registry_without_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert promote.main([]) == promote.NOT_COMPARED
    assert "The registry has no challenger" in capsys.readouterr().err
    assert (tmp_path / "mlflow.db").is_file()


def test_row_of_few_deals_says_so() -> None:
    found = Difference(0.7, 0.5, better_by=-0.2, low=-0.4, high=-0.1, deals=12, draws=None)  # type: ignore[arg-type]
    row = Row("recall.primary.price", Guard(0.25, enough=30), found, holds=False, is_better=False)
    assert row.has_few
