"""Signatures of model bundles: the manifest is signed, and it holds the hash of every other file.

The format is minisign's, so that `minisign -S` and `minisign -V` do the same with the same keys.

Source: https://jedisct1.github.io/minisign/
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from lossnlp.errors import BundleError

SIGNATURE = "manifest.json.minisig"
SIGNATURE_BYTES = 4096  # the most; one has some 300
TRUSTED_KEYS = "LOSSNLP_BUNDLE_KEY"
SIGNING_KEY = "LOSSNLP_SIGNING_KEY"
SIGNING_PASSWORD = "LOSSNLP_SIGNING_PASSWORD"  # noqa: S105 (the name of a variable)


def trusted_keys(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Gives the public keys of LOSSNLP_BUNDLE_KEY, none where it is not set: then no signature is asked for.

    Raises:
        BundleError: It is set and holds none.
    """
    said = environment.get(TRUSTED_KEYS, "")
    keys = tuple(key.strip() for key in said.split(",") if key.strip())
    if said and not keys:
        raise BundleError(f"{TRUSTED_KEYS} is set and holds no key; unset it where no signature is wanted.")
    return keys


def require_signature(folder: Path, manifest: bytes, keys: Sequence[str]) -> None:
    """Passes when a bundle's manifest is signed by one of the keys.

    Args:
        folder: The bundle, with the signature beside the manifest.
        manifest: The manifest's bytes, as they will be read.
        keys: Public keys, each the second line of minisign's `.pub` file; at least one.

    Raises:
        BundleError: It is not signed, the signature is of another manifest or key, or a key cannot be used.
    """
    signed = _minisign()
    public = [_public_key(key) for key in keys]
    file = folder / SIGNATURE
    if not file.is_file():
        message = (
            f"{folder} is not signed, and {TRUSTED_KEYS} asks for a signature: sign it with `lossnlp bundle sign`."
        )
        raise BundleError(message)
    with file.open("rb") as opened:
        content = opened.read(SIGNATURE_BYTES)
    for key in public:
        try:
            key.verify(manifest, signed.Signature.from_bytes(content))
        except signed.Error:
            continue
        return
    message = (
        f"The signature of {folder} is not one of its {file.name.removesuffix('.minisig')} by a key of {TRUSTED_KEYS}: "
        "take the bundle anew from who signed it, or sign it with `lossnlp bundle sign`."
    )
    raise BundleError(message)


def sign_manifest(manifest: Path, key_file: Path, *, password: str | None = None, told: str = "") -> Path:
    """Writes the signature beside a manifest, whole or not at all, and gives its path.

    Args:
        manifest: The manifest of a bundle that was checked.
        key_file: The private key, minisign's own format.
        password: Of the key; None where it has none.
        told: A trusted comment: it is signed too.

    Raises:
        BundleError: The key cannot be read, or the password is not its own.
    """
    minisign = _minisign()
    try:
        with minisign.SecretKey.from_file(key_file) as key:
            if key.is_encrypted():
                key.decrypt(_required(password, key_file))
            signature = key.sign(manifest.read_bytes(), trusted_comment=told)
    except OSError as error:
        raise BundleError(f"The signing key {key_file} cannot be read ({error.strerror}).") from None
    except minisign.Error as error:
        raise BundleError(f"{key_file} cannot sign: {error}.") from None
    file = manifest.with_name(SIGNATURE)
    fresh = file.with_name(f".{SIGNATURE}-{uuid4().hex}")
    fresh.write_bytes(bytes(signature) + b"\n")
    fresh.replace(file)
    return file


def write_key_pair(private: Path, *, password: str | None = None) -> str:
    """Writes a new private key, readable by its user alone, and the public one beside it as `.pub`; gives the public key's line.

    Args:
        private: File of the private key; nothing is overwritten.
        password: That encrypts it; None leaves it plain, for a place that keeps secrets itself.

    Raises:
        BundleError: A file stands there already, or cannot be written.
    """
    pair = _minisign().KeyPair.generate()
    public: str = pair.public_key.to_base64().decode()
    if password:
        pair.secret_key.encrypt(password)
    try:
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(bytes(pair.secret_key) + b"\n")
        private.with_suffix(".pub").write_bytes(bytes(pair.public_key) + b"\n")
    except OSError as error:
        raise BundleError(f"{private} cannot be written ({error.strerror}); name a file that is not there.") from None
    return public


def _public_key(line: str) -> Any:  # noqa: ANN401 (minisign tells no types)
    signed = _minisign()
    try:
        return signed.PublicKey.from_base64(line)
    except signed.Error:
        message = f"{TRUSTED_KEYS} holds something that is no public key; set it to the second line of the .pub file."
        raise BundleError(message, field=TRUSTED_KEYS) from None


def _required(password: str | None, key_file: Path) -> str:
    if not password:
        raise BundleError(f"{key_file} is encrypted; give its password in {SIGNING_PASSWORD}.")
    return password


def _minisign() -> Any:  # noqa: ANN401 (a module)
    try:
        import minisign  # noqa: PLC0415 (only who signs or asks for signatures needs it)
    except ModuleNotFoundError:
        raise BundleError("Signatures of bundles need 'py-minisign'; run: pip install 'lossnlp[sign]'") from None
    return minisign
