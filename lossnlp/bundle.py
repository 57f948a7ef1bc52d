"""The model bundle: a folder of weights, tokenizer, labels and calibration whose hashes are checked before anything is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lossnlp.bundle_files import MANIFEST_BYTES, check_file
from lossnlp.deal import Frozen
from lossnlp.errors import BundleError
from lossnlp.signing import SIGNATURE, require_signature, sign_manifest
from lossnlp.taxonomy import Taxonomy, read_taxonomy

FORMAT = 1
MANIFEST = "manifest.json"
PARTS = ("encoder.xml", "encoder.bin", "heads.safetensors", "tokenizer.json", "taxonomy.yaml", "calibration.json")
_CHUNK_BYTES = 1 << 20


class Manifest(Frozen):
    """What a bundle says of itself.

    Args:
        format: Version of the folder's layout.
        version: Version of the model; the day of the export and a hash of its parts. Copies are called by it, so it is a plain name.
        taxonomy_version: Version of the labels it was trained for.
        made_at: UTC time of the export, ISO 8601.
        encoder: Name of the encoder it began from.
        max_tokens: Longest window it was trained on.
        corpus: Hash of the corpus files.
        files: SHA-256 of every file of the bundle but the manifest and its signature.
    """

    format: int
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    taxonomy_version: str
    made_at: str
    encoder: str
    max_tokens: int = Field(ge=128, le=512)
    corpus: str
    files: dict[str, str]


class Bundle(Frozen):
    """A checked bundle: its folder, manifest and taxonomy."""

    folder: Path
    manifest: Manifest
    taxonomy: Taxonomy

    def path(self, name: str) -> Path:
        """Gives the path of one of the bundle's files."""
        return self.folder / name


def read_bundle(folder: Path, *, keys: Sequence[str] = ()) -> Bundle:
    """Gives the bundle of a folder after checking that it is whole and unaltered.

    Args:
        folder: The bundle.
        keys: Public keys of which one must have signed it; none given, no signature is asked for.

    Raises:
        BundleError: The folder is missing or incomplete, a hash differs, it is not signed by one of the keys, it was made for another
            version of lossnlp, or it holds what no bundle holds.
    """
    manifest = _read_manifest(folder, keys)
    if manifest.format != FORMAT:
        raise BundleError(f"{folder} has bundle format {manifest.format}; this lossnlp reads format {FORMAT}.")
    for name in PARTS:
        if name not in manifest.files:
            raise BundleError(f"{folder / MANIFEST} does not list '{name}'; export the bundle again.")
    paths = {name: check_file(folder, name) for name in manifest.files}
    for name, expected in manifest.files.items():
        if _hash_of(paths[name]) != expected:
            raise BundleError(
                f"'{name}' in {folder} is not the file that was exported (its hash differs); copy the bundle anew."
            )
    return Bundle(folder=folder, manifest=manifest, taxonomy=read_taxonomy(folder / "taxonomy.yaml"))


def write_manifest(folder: Path, *, encoder: str, max_tokens: int, corpus: str, made_at: str) -> Manifest:
    """Writes the manifest over the files that stand in `folder`, and gives it.

    Args:
        folder: A bundle folder with every part in place.
        encoder: Name of the encoder it began from.
        max_tokens: Longest window it was trained on.
        corpus: Hash of the corpus files.
        made_at: UTC time of the export, ISO 8601.

    Raises:
        BundleError: A part is missing.
    """
    beside = (MANIFEST, SIGNATURE)
    files = {
        path.name: _hash_of(path) for path in sorted(folder.iterdir()) if path.name not in beside and path.is_file()
    }
    missing = [name for name in PARTS if name not in files]
    if missing:
        raise BundleError(f"{folder} lacks {', '.join(missing)}.")
    digest = hashlib.sha256("".join(files[name] for name in PARTS).encode()).hexdigest()[:12]
    manifest = Manifest(
        format=FORMAT,
        version=f"{made_at[:10]}-{digest}",
        taxonomy_version=read_taxonomy(folder / "taxonomy.yaml").version,
        made_at=made_at,
        encoder=encoder,
        max_tokens=max_tokens,
        corpus=corpus,
        files=files,
    )
    _write_anew(folder / MANIFEST, json.dumps(manifest.model_dump(), indent=1) + "\n")
    return manifest


def sign_bundle(folder: Path, key_file: Path, *, password: str | None = None) -> Path:
    """Signs a bundle that is whole and gives the path of the signature, which stands beside the manifest.

    Args:
        folder: The bundle; who changes a file of it afterwards signs it again.
        key_file: The private key, in minisign's format.
        password: Of the key; None where it has none.

    Raises:
        BundleError: The bundle is not whole, the key cannot be read, or the password is not its own.
    """
    manifest = read_bundle(folder).manifest
    return sign_manifest(folder / MANIFEST, key_file, password=password, told=f"lossnlp bundle {manifest.version}")


def refresh_manifest(folder: Path) -> Manifest:
    """Writes the manifest anew after files beside the parts changed, such as the card, and gives it.

    Raises:
        BundleError: The folder has no manifest, or a part is missing.
    """
    old = _read_manifest(folder)
    return write_manifest(
        folder, encoder=old.encoder, max_tokens=old.max_tokens, corpus=old.corpus, made_at=old.made_at
    )


def find_default_bundle() -> Path:
    """Gives the folder of the bundle that ships with lossnlp.

    Raises:
        BundleError: There is none, neither in the installed package nor in a checkout.
    """
    here = Path(__file__).parent
    for folder in (here / "models" / "default", here.parent / "models" / "default"):
        if (folder / MANIFEST).is_file():
            return folder
    raise BundleError(
        "No model bundle ships here; name one with LOSSNLP_MODEL or train one with python -m training.train."
    )


def _write_anew(manifest: Path, text: str) -> None:
    """Writes a manifest; a signature of another one goes, since it would only tell that something is wrong."""
    content = text.encode()
    if not manifest.is_file() or manifest.read_bytes() != content:
        manifest.with_name(SIGNATURE).unlink(missing_ok=True)
    manifest.write_bytes(content)


def _read_manifest(folder: Path, keys: Sequence[str] = ()) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is not a model bundle: it has no {MANIFEST}.")
    if path.stat().st_size > MANIFEST_BYTES:
        raise BundleError(f"{path} is larger than {MANIFEST_BYTES} bytes, which no manifest is.")
    content = path.read_bytes()
    if keys:
        require_signature(folder, content, keys)
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        raise BundleError(f"{path} is damaged at '{'.'.join(map(str, fault['loc']))}': {fault['msg']}.") from error


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
