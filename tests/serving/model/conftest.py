"""Small bundles that are whole, and what loads them: their hashes are checked, a stand-in reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lossnlp.bundle import PARTS, find_default_bundle, read_bundle, write_manifest
from lossnlp.pointer import write_pointer
from serving.intake import Assessor
from serving.metrics import Metrics
from serving.model.folder import FolderSource
from serving.model.following import Follower, open_follower
from serving.model.history import ServiceRecord
from serving.settings import Settings
from serving.store import Database

MakeBundle = Callable[..., Path]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    folder.mkdir()
    return folder


@pytest.fixture
def make_bundle(bundles: Path) -> MakeBundle:
    """Makes a bundle of small files; its model version begins with the given day."""

    def make(day: str, folder: Path = bundles) -> Path:
        made = folder / day
        made.mkdir()
        for name in PARTS:
            (made / name).write_text(f"{name} of {day}", encoding="utf-8")
        (made / "taxonomy.yaml").write_bytes((find_default_bundle() / "taxonomy.yaml").read_bytes())
        write_manifest(made, encoder="stand-in", max_tokens=256, corpus="none", made_at=f"{day}T00:00:00Z")
        return made

    return make


@pytest.fixture
def load(make_assessor: type[Any]) -> Callable[[Path], Assessor]:
    """Loads a bundle as the service does, hashes and all, but for what reads."""

    def loaded(folder: Path) -> Assessor:
        assessor: Assessor = make_assessor()
        assessor.model_version = read_bundle(folder).manifest.version  # type: ignore[misc]
        return assessor

    return loaded


@pytest.fixture
def two(bundles: Path, make_bundle: MakeBundle) -> tuple[str, str]:
    """Two bundles with the pointer at the first; their model versions."""
    versions = [read_bundle(make_bundle(day)).manifest.version for day in ("2026-11-01", "2026-11-02")]
    write_pointer(bundles, "2026-11-01")
    return versions[0], versions[1]


@pytest.fixture
def follower(bundles: Path, two: tuple[str, str], load: Callable[[Path], Assessor]) -> Follower:
    opened = open_follower(FolderSource(bundles), load, every_s=0.05)
    assert opened.model.model_version == two[0]
    return opened


@pytest.fixture
def small_database(settings: Settings) -> Iterator[Database]:
    """A database of the embedded kind alone, where the kind makes no difference."""
    opened = Database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture
def record(small_database: Database, bundles: Path) -> ServiceRecord:
    return ServiceRecord(small_database, str(bundles), "web", process="here:1")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()
