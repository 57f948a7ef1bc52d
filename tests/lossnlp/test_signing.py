"""Signed bundles: what is asked for where a key is set, and that minisign agrees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossnlp.bundle import (
    MANIFEST,
    PARTS,
    find_default_bundle,
    read_bundle,
    refresh_manifest,
    sign_bundle,
    write_manifest,
)
from lossnlp.classifier import LossClassifier
from lossnlp.cli import app
from lossnlp.errors import BundleError
from lossnlp.signing import SIGNATURE, write_key_pair

MINISIGN = shutil.which("minisign") or ""
needs_minisign = pytest.mark.skipif(not MINISIGN, reason="no minisign: apt-get install minisign")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of small files that is whole."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in PARTS:
        (folder / name).write_text(name, encoding="utf-8")
    shutil.copy(find_default_bundle() / "taxonomy.yaml", folder)
    write_manifest(folder, encoder="none", max_tokens=256, corpus="none", made_at="2026-11-01T00:00:00Z")
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "bundles.key"


@pytest.fixture
def public(private: Path) -> str:
    return write_key_pair(private)


def test_signed_bundle_is_read(bundle: Path, private: Path, public: str) -> None:
    sign_bundle(bundle, private)
    assert read_bundle(bundle, keys=[public]).manifest == read_bundle(bundle).manifest


def test_unsigned_bundle_is_refused(bundle: Path, public: str) -> None:
    with pytest.raises(BundleError, match=r"is not signed, and LOSSNLP_BUNDLE_KEY asks for a signature"):
        read_bundle(bundle, keys=[public])


def test_signature_of_another_key_is_refused(bundle: Path, private: Path, public: str, tmp_path: Path) -> None:
    sign_bundle(bundle, private)
    other = write_key_pair(tmp_path / "other.key")
    with pytest.raises(BundleError, match=r"not one of its manifest\.json by a key of LOSSNLP_BUNDLE_KEY"):
        read_bundle(bundle, keys=[other])
    assert read_bundle(bundle, keys=[other, public])  # both count while keys are changed


def test_altered_manifest_loses_its_signature(bundle: Path, private: Path, public: str) -> None:
    sign_bundle(bundle, private)
    manifest = bundle / MANIFEST
    manifest.write_text(manifest.read_text().replace('"corpus": "none"', '"corpus": "some"'))
    with pytest.raises(BundleError, match="not one of its"):
        read_bundle(bundle, keys=[public])


def test_altered_file_is_refused_all_the_same(bundle: Path, private: Path, public: str) -> None:
    sign_bundle(bundle, private)
    (bundle / "encoder.bin").write_text("other")
    with pytest.raises(BundleError, match=r"encoder\.bin"):
        read_bundle(bundle, keys=[public])


def test_damaged_signature_is_refused(bundle: Path, private: Path, public: str) -> None:
    sign_bundle(bundle, private).write_text("untrusted comment: none\n")
    with pytest.raises(BundleError, match="not one of its"):
        read_bundle(bundle, keys=[public])


def test_what_is_no_key_is_named(bundle: Path, private: Path) -> None:
    with pytest.raises(BundleError, match="LOSSNLP_BUNDLE_KEY holds something that is no public key"):
        read_bundle(bundle, keys=[private.name])


@pytest.mark.usefixtures("public")
def test_new_manifest_drops_the_old_signature(bundle: Path, private: Path) -> None:
    sign_bundle(bundle, private)
    refresh_manifest(bundle)
    assert (bundle / SIGNATURE).is_file()  # nothing changed
    (bundle / "MODEL_CARD.md").write_text("decided")
    refresh_manifest(bundle)
    assert not (bundle / SIGNATURE).exists()


def test_library_asks_where_the_environment_does(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_BUNDLE_KEY", public)
    with pytest.raises(BundleError, match="is not signed"):
        LossClassifier.load()


def test_setting_without_a_key_is_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_BUNDLE_KEY", " , ")
    with pytest.raises(BundleError, match="holds no key"):
        LossClassifier.load()


def test_private_key_is_for_its_user_alone(public: str, private: Path) -> None:
    assert private.stat().st_mode & 0o777 == 0o600
    assert public in private.with_suffix(".pub").read_text()
    with pytest.raises(BundleError, match="not there"):
        write_key_pair(private)


def test_encrypted_key_asks_for_its_password(bundle: Path, private: Path) -> None:
    write_key_pair(private, password=bundle.name)
    with pytest.raises(BundleError, match="LOSSNLP_SIGNING_PASSWORD"):
        sign_bundle(bundle, private)
    with pytest.raises(BundleError, match="wrong password"):
        sign_bundle(bundle, private, password=private.name)


def test_commands_make_sign_and_verify(bundle: Path, private: Path) -> None:
    run = CliRunner()
    told = run.invoke(app, ["bundle", "key", str(private)], catch_exceptions=False).stdout.strip()
    key = told.removeprefix("LOSSNLP_BUNDLE_KEY=")
    assert run.invoke(app, ["bundle", "sign", str(bundle), "--key", str(private)]).exit_code == 0
    verified = run.invoke(app, ["bundle", "verify", str(bundle), "--key", key])
    assert "is whole and signed" in verified.stdout


@needs_minisign
def test_minisign_verifies_what_we_sign(bundle: Path, private: Path, public: str) -> None:
    sign_bundle(bundle, private)
    command = [MINISIGN, "-Vm", MANIFEST, "-P", public]
    told = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=True)
    assert "verified" in told.stdout
    assert "lossnlp bundle 2026-11-01" in told.stdout


@needs_minisign
def test_what_minisign_signs_is_read(bundle: Path, private: Path, tmp_path: Path) -> None:
    pub = tmp_path / "theirs.pub"
    subprocess.run([MINISIGN, "-G", "-W", "-p", pub, "-s", private], check=True, capture_output=True)
    subprocess.run([MINISIGN, "-Sm", MANIFEST, "-s", private], check=True, capture_output=True, cwd=bundle)
    assert read_bundle(bundle, keys=[pub.read_text().splitlines()[1]])
    assert sign_bundle(bundle, private).is_file()
