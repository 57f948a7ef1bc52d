"""A registry that lies: about versions, paths and sizes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from lossnlp.bundle import MANIFEST, Bundle, read_bundle
from lossnlp.errors import BundleError
from serving.model.folder import FolderSource
from serving.model.registry import RegistrySource
from serving.model.sources import Named, SourceAwayError
from serving.outgoing import open_client
from tests.serving.model.conftest import MakeBundle
from tests.serving.plain_http import NO_TLS

_MLMODEL = "flavors: {python_function: {artifacts: {bundle: {path: artifacts/bundle}}}}"
Lies = dict[str, httpx2.Response]
Ask = Callable[[Lies], RegistrySource]


@pytest.fixture
def honest(make_bundle: MakeBundle) -> Bundle:
    return read_bundle(make_bundle("2026-11-01"))


@pytest.fixture
def ask(tmp_path: Path, honest: Bundle) -> Ask:
    """Gives the source of a registry that answers some paths with lies, and what it is asked of a bundle with the truth."""

    def asked(lies: Lies) -> RegistrySource:
        def answer(request: httpx2.Request) -> httpx2.Response:
            path = request.url.params.get("path") or request.url.path
            if path in lies:
                return lies[path]
            if path == "MLmodel":
                return httpx2.Response(200, text=_MLMODEL)
            return httpx2.Response(200, content=honest.path(Path(path).name).read_bytes())

        client = open_client(base_url="https://x.example/", transport=httpx2.MockTransport(answer), verify=NO_TLS)
        return RegistrySource(client, "lossnlp", "champion", tmp_path / "outer" / "kept")

    return asked


@pytest.mark.parametrize("version", ["../../escape", "1/../../x", "..", "a\x00b", "", "x" * 99, None, {}])
def test_version_that_is_no_plain_name_is_refused(ask: Ask, tmp_path: Path, version: object) -> None:
    told = httpx2.Response(200, json={"model_version": {"version": version}})
    with pytest.raises(BundleError, match="names no version"):
        ask({"/api/2.0/mlflow/registered-models/alias": told}).find_named()
    assert not (tmp_path / "outer").exists()


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'{"model_version": []}'])
def test_answer_of_another_shape_is_one_message(ask: Ask, body: bytes) -> None:
    with pytest.raises(BundleError, match="names no version"):
        ask({"/api/2.0/mlflow/registered-models/alias": httpx2.Response(200, content=body)}).find_named()


@pytest.mark.parametrize("body", [b"[" * 200_000, b"\xff\xfe", b"x" * 2_000_000])
def test_unreadable_answer_is_a_registry_that_is_away(ask: Ask, body: bytes) -> None:
    with pytest.raises(SourceAwayError):
        ask({"/api/2.0/mlflow/registered-models/alias": httpx2.Response(200, content=body)}).find_named()


@pytest.mark.parametrize(
    "name", ["..", "../../escape.json", "/etc/x.json", "model.pkl", "python_model.pkl", "pytorch_model.bin", MANIFEST]
)
def test_listed_file_that_no_bundle_holds_is_not_fetched(ask: Ask, honest: Bundle, tmp_path: Path, name: str) -> None:
    manifest = json.loads(honest.path(MANIFEST).read_text(encoding="utf-8"))
    manifest["files"] = {name: "0" * 64} | manifest["files"]
    source = ask({f"artifacts/bundle/{MANIFEST}": httpx2.Response(200, json=manifest)})
    with pytest.raises(BundleError, match="no bundle holds"):
        source.fetch(Named("1"))
    assert list((tmp_path / "outer").rglob("*.*")) == []


def test_huge_manifest_is_not_kept(ask: Ask, tmp_path: Path) -> None:
    bomb = httpx2.Response(200, content=b" " * 4_000_000)
    with pytest.raises(SourceAwayError):
        ask({f"artifacts/bundle/{MANIFEST}": bomb}).fetch(Named("1"))
    assert list((tmp_path / "outer" / "kept").iterdir()) == []


def test_packed_model_description_does_not_unpack_without_end(ask: Ask) -> None:
    packed = gzip.compress(b"a" * 50_000_000)
    bomb = httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx2.ByteStream(packed))
    with pytest.raises(SourceAwayError):
        ask({"MLmodel": bomb}).fetch(Named("1"))


@pytest.mark.parametrize("text", ["[" * 5_000, "!!python/object/apply:os.system ['true']", "&a [*a]", "x: 1"])
def test_odd_model_description_is_one_message(ask: Ask, text: str) -> None:
    with pytest.raises(BundleError, match="logged without a bundle"):
        ask({"MLmodel": httpx2.Response(200, text=text)}).fetch(Named("1"))


def test_copied_bundle_stays_in_the_folder(make_bundle: MakeBundle, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    poisoned = make_bundle("2026-11-02", elsewhere)
    manifest = json.loads((poisoned / MANIFEST).read_text(encoding="utf-8"))
    (poisoned / MANIFEST).write_text(json.dumps(manifest | {"version": "../escape"}), encoding="utf-8")
    with pytest.raises(BundleError, match="damaged at 'version'"):
        FolderSource(tmp_path / "several").find_bundle(str(poisoned))
    assert not (tmp_path / "escape").exists()
