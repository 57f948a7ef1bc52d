"""The head of a card is what the Hugging Face hub reads."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.calibration import Calibration
from training.card import Measured, RunRecord, write_card
from training.config import TrainConfig


def head_of(
    folder: Path, *, verdicts: int = 0, encoder: str = "sentence-transformers/all-mpnet-base-v2"
) -> ModelCardData:
    manifest = read_bundle(find_default_bundle()).manifest.model_copy(update={"encoder": encoder})
    record = RunRecord(TrainConfig(), 90, 10, {}, verdicts=verdicts)
    measured = Measured({"all": {"primary.accuracy": 0.71234, "primary.ece": 0.04}})
    write_card(folder, manifest=manifest, calibration=Calibration(), record=record, measured=measured)
    return ModelCard.load(folder / "MODEL_CARD.md").data


def test_card_tells_programs_what_it_is(tmp_path: Path) -> None:
    head = head_of(tmp_path)
    assert (head.license, head.language, head.library_name) == ("apache-2.0", "en", "lossnlp")
    assert head.base_model == "sentence-transformers/all-mpnet-base-v2"
    (result,) = head.eval_results or ()
    assert (result.metric_name, result.metric_type, result.metric_value) == ("primary.accuracy", "accuracy", 0.712)


def test_card_of_own_deals_names_no_licence(tmp_path: Path) -> None:
    assert head_of(tmp_path, verdicts=12).license is None


def test_card_says_how_many_held_out_deals_do_not_count(tmp_path: Path) -> None:
    manifest = read_bundle(find_default_bundle()).manifest
    record = RunRecord(TrainConfig(), 90, 10, {}, left_out=3)
    write_card(tmp_path, manifest=manifest, calibration=Calibration(), record=record, measured=Measured({}))
    assert "3 of the 10 held-out deals share their words" in (tmp_path / "MODEL_CARD.md").read_text()


def test_folder_is_no_base_model(tmp_path: Path) -> None:
    assert head_of(tmp_path, encoder=str(tmp_path)).base_model is None


def test_shipped_card_has_such_a_head() -> None:
    bundle = read_bundle(find_default_bundle())
    head = ModelCard.load(bundle.path("MODEL_CARD.md")).data
    assert head.model_name == f"lossnlp {bundle.manifest.version}"
