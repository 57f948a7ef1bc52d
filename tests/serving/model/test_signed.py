"""A service with LOSSNLP_BUNDLE_KEY puts in service what is signed, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lossnlp.bundle import read_bundle, sign_bundle
from lossnlp.errors import BundleError
from lossnlp.pointer import write_pointer
from lossnlp.signing import SIGNATURE, write_key_pair
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.metrics import Metrics
from serving.model.folder import FolderSource
from serving.model.following import open_follower
from serving.model.history import ServiceRecord
from serving.model.loading import load_assessor
from serving.model.registry import RegistrySource
from serving.model.sources import Named
from serving.settings import Settings, load_settings
from tests.serving.model.conftest import MakeBundle
from tests.serving.model.test_registry import Registry, registry, source

__all__ = ["registry", "source"]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "bundles.key"


@pytest.fixture
def public(private: Path) -> str:
    return write_key_pair(private)


@pytest.fixture
def load_signed(load: Callable[[Path], Assessor], public: str) -> Callable[[Path], Assessor]:
    def loaded(folder: Path) -> Assessor:
        read_bundle(folder, keys=[public])
        return load(folder)

    return loaded


def test_settings_key_guards_the_shipped_bundle(settings: Settings, public: str) -> None:
    with pytest.raises(BundleError, match="is not signed"):
        load_assessor(settings.model_copy(update={"bundle_key": (public,)}))


def test_setting_without_a_key_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_BUNDLE_KEY", " , ")
    with pytest.raises(ConfigurationError, match="it is set and holds no key"):
        load_settings()


def test_unsigned_champion_is_refused_until_it_is_signed(
    bundles: Path,
    make_bundle: MakeBundle,
    private: Path,
    load_signed: Callable[[Path], Assessor],
    record: ServiceRecord,
) -> None:
    sign_bundle(make_bundle("2026-11-01"), private)
    unsigned = make_bundle("2026-11-02")
    write_pointer(bundles, "2026-11-01")
    follower = open_follower(FolderSource(bundles), load_signed, every_s=1)
    write_pointer(bundles, "2026-11-02")
    assert not follower.look(record, Metrics())
    sign_bundle(unsigned, private)
    assert follower.look(record, Metrics())


def test_copied_bundle_brings_its_signature(
    bundles: Path, make_bundle: MakeBundle, private: Path, public: str, tmp_path: Path
) -> None:
    elsewhere = make_bundle("2026-11-03", tmp_path)
    source = FolderSource(bundles)
    named = source.find_bundle(str(elsewhere))
    assert not (source.fetch(named) / SIGNATURE).exists()
    sign_bundle(elsewhere, private)
    assert read_bundle(source.fetch(source.find_bundle(str(elsewhere))), keys=[public])


def test_registry_gives_the_signature_beside_the_bundle(
    source: RegistrySource, registry: Registry, private: Path, public: str
) -> None:
    sign_bundle(registry.versions["1"], private)
    assert read_bundle(replace(source, is_signed=True).fetch(Named("1")), keys=[public])


def test_signature_comes_to_a_version_that_was_kept_before(
    source: RegistrySource, registry: Registry, private: Path, public: str
) -> None:
    kept = source.fetch(Named("1"))
    sign_bundle(registry.versions["1"], private)
    assert read_bundle(replace(source, is_signed=True).fetch(Named("1")), keys=[public]).folder == kept


def test_unsigned_version_of_a_registry_is_refused(
    source: RegistrySource, load_signed: Callable[[Path], Assessor]
) -> None:
    with pytest.raises(BundleError, match="is not signed"):
        open_follower(replace(source, is_signed=True), load_signed, every_s=1)
