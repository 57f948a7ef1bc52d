"""A model folder that is deleted, or written over, while its model answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lossnlp.bundle import find_default_bundle
from lossnlp.errors import BundleError
from serving.app import create_app
from serving.metrics import Metrics
from serving.model.following import open_model
from serving.model.history import ServiceRecord
from serving.settings import Settings
from serving.store import Database
from tests.serving.conftest import KEY

TEXT = "Lost on price, 30% lower. The sponsor left in May and nobody saw a business case."


@pytest.mark.slow
def test_model_goes_on_when_its_folder_is_gone(settings: Settings, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))
    settings = settings.model_copy(update={"model": str(folder)})
    follower = open_model(settings)
    record = ServiceRecord(Database(settings.database_url), str(folder), "web", process="here:1")
    with TestClient(create_app(settings, assessor=follower), headers={"Authorization": f"Bearer {KEY}"}) as client:
        before = client.post("/v1/assessments", json={"id": "D-1", "text": TEXT}).json()
        for file in folder.iterdir():
            file.write_bytes(b"") if file.is_file() else shutil.rmtree(file)
        shutil.rmtree(folder)
        follower.look(record, Metrics())
        after = client.post("/v1/assessments", json={"id": "D-2", "text": TEXT}).json()
        assert client.get("/readyz").status_code == 200
    assert [before[name] for name in ("reasons", "model")] == [after[name] for name in ("reasons", "model")]
    with pytest.raises(BundleError):
        open_model(settings)
    record.database.close()
