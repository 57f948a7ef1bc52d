from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from lossnlp.bundle import MANIFEST, PARTS, find_default_bundle, read_bundle, write_manifest
from lossnlp.classifier import LossClassifier
from lossnlp.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))


def test_shipped_bundle_is_whole_and_small() -> None:
    bundle = read_bundle(find_default_bundle())
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) <= 60_000_000
    assert {path.suffix for path in bundle.folder.iterdir()} <= {
        ".xml",
        ".bin",
        ".safetensors",
        ".json",
        ".yaml",
        ".md",
        ".png",
    }


def test_every_part_is_in_the_manifest() -> None:
    assert set(PARTS) <= set(read_bundle(find_default_bundle()).manifest.files)


@pytest.mark.parametrize("name", ["encoder.bin", "heads.safetensors", "calibration.json", "taxonomy.yaml"])
def test_altered_part_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=re.escape(name)):
        LossClassifier.load(folder)


def test_missing_part_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        read_bundle(folder)


def test_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a model bundle"):
        read_bundle(tmp_path)


def test_manifest_cannot_point_elsewhere(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../escape"] = "0"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="own folder"):
        read_bundle(folder)


def test_damaged_manifest_names_the_field(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"format": "x"}')
    with pytest.raises(BundleError, match="format"):
        read_bundle(folder)


def test_other_format_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text()) | {"format": 99}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="format 99"):
        read_bundle(folder)


def test_rewritten_manifest_keeps_the_version(folder: Path) -> None:
    before = read_bundle(folder).manifest
    after = write_manifest(folder, encoder="e", max_tokens=256, corpus="c", made_at=before.made_at)
    assert after.version == before.version
