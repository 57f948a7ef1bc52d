"""Pointers: a folder of model bundles says in a small file which of them is the champion, and that file is replaced whole."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from pydantic import Field, ValidationError

from lossnlp.bundle import MANIFEST
from lossnlp.bundle_files import is_plain_name
from lossnlp.deal import Frozen
from lossnlp.errors import BundleError

CHAMPION = "champion"
CHALLENGER = "challenger"


class Pointer(Frozen):
    """What a pointer says.

    Args:
        bundle: Name of a bundle's folder, which stands beside the pointer.
    """

    bundle: str = Field(min_length=1, max_length=200)


def find_bundle_folder(path: Path, *, alias: str = CHAMPION) -> Path:
    """Gives the bundle folder that a path stands for, links followed; it is not looked into.

    Args:
        path: A bundle folder, a link to one, or a folder of bundles with the pointer `<alias>.json`.
        alias: Name of the pointer.

    Raises:
        BundleError: The pointer cannot be read, or names something that is no folder beside it.
    """
    here = path.resolve()
    if (here / MANIFEST).is_file() or not (file := pointer_file(here, alias)).is_file():
        return here
    name = _read(file).bundle
    if not is_plain_name(name) or not (here / name).is_dir():
        raise BundleError(
            f"{file} names '{name}', which is no folder beside it; point it at a bundle that stands there."
        )
    return here / name


def write_pointer(folder: Path, bundle: str, *, alias: str = CHAMPION) -> None:
    """Makes a folder's pointer name another of its bundles: whoever reads it finds the old one or the new one, nothing between.

    Args:
        folder: The folder of bundles.
        bundle: Name of the bundle's folder in it.
        alias: Name of the pointer.

    Raises:
        BundleError: No bundle stands there under this name.
    """
    if not is_plain_name(bundle) or not (folder / bundle / MANIFEST).is_file():
        raise BundleError(f"{folder} holds no bundle '{bundle}'.")
    fresh = folder / f".{alias}-{uuid4().hex}"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(Pointer(bundle=bundle).model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(pointer_file(folder, alias))


def pointer_file(folder: Path, alias: str) -> Path:
    """Gives the path of a pointer."""
    return folder / f"{alias}.json"


def _read(file: Path) -> Pointer:
    try:
        return Pointer.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        message = f'{file} is no pointer to a bundle; it holds {{"bundle": "NAME OF A FOLDER BESIDE IT"}}.'
        raise BundleError(message) from None
