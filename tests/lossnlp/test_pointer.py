"""Pointers to the champion in a folder of bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossnlp.bundle import find_default_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.errors import BundleError
from lossnlp.pointer import find_bundle_folder, pointer_file, write_pointer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
    write_pointer(tmp_path, "one")
    return tmp_path


def test_pointer_leads_to_its_bundle(folder: Path) -> None:
    assert find_bundle_folder(folder) == folder / "one"


def test_pointer_is_replaced_whole(folder: Path) -> None:
    before = pointer_file(folder, "champion").stat().st_ino
    write_pointer(folder, "two")
    assert find_bundle_folder(folder) == folder / "two"
    assert pointer_file(folder, "champion").stat().st_ino != before
    assert sorted(path.name for path in folder.iterdir()) == ["champion.json", "one", "two"]


def test_each_alias_has_its_pointer(folder: Path) -> None:
    write_pointer(folder, "two", alias="challenger")
    assert find_bundle_folder(folder, alias="challenger") == folder / "two"
    assert find_bundle_folder(folder) == folder / "one"


def test_link_is_followed(folder: Path) -> None:
    (folder / "current").symlink_to("two")
    assert find_bundle_folder(folder / "current") == folder / "two"


@pytest.mark.parametrize("name", ["../two", "three", "/etc", "one/.."])
def test_pointer_out_of_its_folder_is_refused(folder: Path, name: str) -> None:
    pointer_file(folder, "champion").write_text(f'{{"bundle": "{name}"}}', encoding="utf-8")
    with pytest.raises(BundleError, match="no folder beside it"):
        find_bundle_folder(folder)


def test_damaged_pointer_is_one_message(folder: Path) -> None:
    pointer_file(folder, "champion").write_text("two", encoding="utf-8")
    with pytest.raises(BundleError, match="is no pointer to a bundle"):
        find_bundle_folder(folder)


def test_pointer_is_never_written_to_nothing(folder: Path) -> None:
    with pytest.raises(BundleError, match="holds no bundle 'three'"):
        write_pointer(folder, "three")
    assert find_bundle_folder(folder) == folder / "one"


def test_classifier_loads_what_a_pointer_names(tmp_path: Path, classifier: LossClassifier) -> None:
    (tmp_path / "shipped").symlink_to(find_default_bundle())
    write_pointer(tmp_path, "shipped")
    assert LossClassifier.load(tmp_path).model_version == classifier.model_version
