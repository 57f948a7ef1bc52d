"""Bundles that somebody has poisoned: their hashes are right, what they hold is not."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from hashlib import sha256
from pathlib import Path

import pytest

from lossnlp.bundle import MANIFEST, find_default_bundle, read_bundle
from lossnlp.bundle_files import check_encoder, is_plain_name
from lossnlp.encoder import Encoder
from lossnlp.errors import BundleError, LossNlpError
from lossnlp.pointer import find_bundle_folder, write_pointer
from lossnlp.taxonomy import read_taxonomy
from lossnlp.windows import read_tokenizer

_NET = '<net name="x" version="11"><layers><layer id="0" name="a" type="Const"><data {data}/></layer></layers></net>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))


def rehash(folder: Path, **changes: object) -> Path:
    """Writes the manifest anew as an attacker would, with right hashes; `changes` are of its fields."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"files": files} | changes), encoding="utf-8")
    return folder


def listing(folder: Path, name: str) -> Path:
    """Puts one more name into the manifest."""
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    return rehash(folder, files=files | {name: "0" * 64})


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\x00b"])
def test_name_that_leads_elsewhere_is_not_plain(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["..", "../escape.json", "/etc/passwd", "a/b.json", "a\\b.json", "c\x00.json", "x.json/.."]
)
def test_manifest_names_no_place_elsewhere(folder: Path, name: str) -> None:
    with pytest.raises(BundleError, match="own folder"):
        read_bundle(listing(folder, name))


@pytest.mark.parametrize("name", ["model.pkl", "weights.pt", "pytorch_model.bin", "run.py", "lib.so", "more.zip", "x"])
def test_what_is_no_data_stands_in_no_bundle(folder: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BundleError, match="no bundle holds"):
        read_bundle(listing(folder, name))


def test_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    (folder / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleError, match="link that leads out"):
        read_bundle(folder)


def test_link_within_the_folder_is_taken(folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "tokenizer.json").rename(folder / "kept" / "tokenizer.json")
    (folder / "tokenizer.json").symlink_to("kept/tokenizer.json")
    assert read_bundle(folder).manifest.version


@pytest.mark.parametrize("version", ["../../escape", "a/b", "..", "x" * 200, "a\nb", ""])
def test_version_that_is_no_plain_name_is_refused(folder: Path, version: str) -> None:
    with pytest.raises(BundleError, match="damaged at 'version'"):
        read_bundle(rehash(folder, version=version))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"format": ' + "9" * 10_000 + "}", "\ufeff{}", "x" * 2_000_000])
def test_odd_manifest_is_one_message(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_pointer_leads_to_no_folder_above(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "champion.json").write_text('{"bundle": ".."}', encoding="utf-8")
    with pytest.raises(BundleError, match="no folder beside it"):
        find_bundle_folder(tmp_path)
    (folder / "inner").mkdir()
    with pytest.raises(BundleError, match="holds no bundle"):
        write_pointer(folder / "inner", "..")


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net>&x;</net>',
        '<!DOCTYPE net SYSTEM "http://127.0.0.1:1/x.dtd"><net/>',
        '<!DOCTYPE n [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><net>&b;</net>',
        "<a>" * 100_000,
        "<net>&x;</net>",
        _NET.format(data='element_type="f32" shape="100000, 100000, 1000" offset="0" size="4"'),
        _NET.format(data='element_type="f32" shape="4" offset="0" size="4000000000"'),
        _NET.format(data='element_type="f32" shape="4" offset="x" size="1"'),
    ],
    ids=["entity", "dtd", "billion laughs", "deep", "undefined", "huge tensor", "beyond the weights", "no number"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_encoder_that_is_more_than_a_description_is_refused(tmp_path: Path, xml: str, encoding: str) -> None:
    (tmp_path / "encoder.xml").write_bytes(xml.encode(encoding))
    (tmp_path / "encoder.bin").write_bytes(b"\0" * 16)
    with pytest.raises(BundleError, match="no description of an encoder"):
        check_encoder(tmp_path / "encoder.xml", tmp_path / "encoder.bin")


def test_shipped_encoder_is_a_description() -> None:
    check_encoder(find_default_bundle() / "encoder.xml", find_default_bundle() / "encoder.bin")


def test_encoder_is_checked_before_it_is_loaded(folder: Path) -> None:
    xml = folder / "encoder.xml"
    xml.write_text('<!DOCTYPE net SYSTEM "x">' + xml.read_text(encoding="utf-8")[21:], encoding="utf-8")
    with pytest.raises(BundleError, match="document type"):
        Encoder(read_bundle(rehash(folder)))


def tensors(header: dict[str, object], data: bytes = b"") -> bytes:
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + data


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"inner.weight": [1.0]}),
        struct.pack("<Q", 2**62) + b"{}",
        tensors({"inner.weight": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}),
        tensors({"inner.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        tensors(
            {
                name: {"dtype": "F32", "shape": [], "data_offsets": [4 * at, 4 * at + 4]}
                for at, name in enumerate(("inner.weight", "inner.bias", "outer.weight", "outer.bias"))
            },
            b"\0" * 16,
        ),
    ],
    ids=["pickle", "endless header", "huge tensor", "tensors missing", "other shapes"],
)
def test_heads_that_do_not_fit_are_refused(folder: Path, content: bytes) -> None:
    (folder / "heads.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"heads\.safetensors"):
        Encoder(read_bundle(rehash(folder)))


@pytest.mark.parametrize("text", ["", "{}", "[" * 200_000, '{"model": {"type": "Pickle"}}', "\x80\x04."])
def test_odd_tokenizer_is_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match="no tokenizer"):
        read_tokenizer(tmp_path / "tokenizer.json")


_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 64))


@pytest.mark.parametrize(
    "text",
    [
        "version: !!python/object/apply:os.system ['true']",
        _LAUGHS + "version: *a63\ngroups: *a63\nreasons: *a63\n",
        "[" * 5_000,
        "&a [*a]",
        "version: 1\ngroups: []",
    ],
    ids=["object", "billion laughs", "deep", "of itself", "incomplete"],
)
def test_odd_taxonomy_is_one_short_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "taxonomy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LossNlpError) as caught:
        read_taxonomy(tmp_path / "taxonomy.yaml")
    assert len(caught.value.message) < 500
