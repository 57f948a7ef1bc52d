"""The commands `lossnlp bundle`: keys that sign model bundles, signing, and checking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lossnlp.bundle import read_bundle, sign_bundle
from lossnlp.errors import BundleError
from lossnlp.pointer import find_bundle_folder
from lossnlp.signing import SIGNING_KEY, SIGNING_PASSWORD, TRUSTED_KEYS, trusted_keys, write_key_pair

bundle = typer.Typer(help="Sign model bundles and check signatures.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Model bundle, or a folder of bundles with a champion.")]


@bundle.command("key")
def make_key(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Private key to write; the public one stands beside it.")
    ],
) -> None:
    """Make a pair of keys; LOSSNLP_SIGNING_PASSWORD encrypts the private one."""
    public = write_key_pair(file, password=os.environ.get(SIGNING_PASSWORD))
    typer.echo(f"{TRUSTED_KEYS}={public}")


@bundle.command("sign")
def sign(
    folder: Folder,
    key: Annotated[
        Path, typer.Option("--key", envvar=SIGNING_KEY, help="Private key, of `lossnlp bundle key` or `minisign -G`.")
    ],
) -> None:
    """Sign a bundle that is whole; the signature stands beside its manifest."""
    typer.echo(sign_bundle(find_bundle_folder(folder), key, password=os.environ.get(SIGNING_PASSWORD)))


@bundle.command("verify")
def verify(
    folder: Folder,
    key: Annotated[
        str, typer.Option("--key", envvar=TRUSTED_KEYS, help="Public keys of which one must have signed it.")
    ],
) -> None:
    """Check that every file of a bundle is as its manifest says, and that the manifest is signed."""
    keys = trusted_keys({TRUSTED_KEYS: key})
    if not keys:
        raise BundleError(f"{TRUSTED_KEYS} is empty; give the public key that the bundle must be signed by.")
    read = read_bundle(find_bundle_folder(folder), keys=keys)
    typer.echo(f"{read.manifest.version} is whole and signed.")
