"""The file of a backup: a ZIP with a manifest and the database as its own tools write it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lossnlp.errors import LossNlpError
from serving.backup.contents import TableContent

Kind = Literal["sqlite", "postgresql"]
_MANIFEST, _DATABASE = "manifest.json", "database"
_MOST_MANIFEST_BYTES = 16 * 1024 * 1024


class BackupError(LossNlpError):
    """Says why a backup cannot be made, read or put back."""

    code = "backup_failed"


class Manifest(BaseModel):
    """What a backup says of itself.

    Args:
        format: Of the file.
        made_at: When the copy was begun.
        lossnlp: The version that made it.
        kind: Of the database.
        schema_revision: Of its tables.
        tables: What each of them holds.
        models: How many answers each model version has given; the bundles are not in the file.
        sha256: Of the copy of the database, in hex.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    made_at: datetime
    lossnlp: str
    kind: Kind
    schema_revision: str
    tables: dict[str, TableContent]
    models: dict[str, int]
    sha256: str


def write_archive(path: Path, manifest: Manifest, copy: Path) -> None:
    """Writes the file: whole, or not at all; only its owner can read it."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MANIFEST, manifest.model_dump_json(indent=1))
            archive.write(copy, _DATABASE)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[Manifest, Path]]:
    """Gives the manifest, and the copy of the database unpacked for as long as the block lasts.

    Raises:
        BackupError: The file is none, or not the one that was written.
    """
    with TemporaryDirectory(prefix="lossnlp-backup-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                manifest = _read_manifest(archive)
                copy = Path(archive.extract(_DATABASE, folder))
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror or type(error).__name__}.") from None
        except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, EOFError, ValueError):
            raise BackupError(f"{path} is no backup of lossnlp, or is damaged.") from None
        if digest_file(copy) != manifest.sha256:
            raise BackupError(f"{path} is damaged: its database is not the one that its manifest tells of.")
        yield manifest, copy


def digest_file(path: Path) -> str:
    """Gives the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(archive: zipfile.ZipFile) -> Manifest:
    if archive.getinfo(_MANIFEST).file_size > _MOST_MANIFEST_BYTES:
        raise BackupError("The manifest of this backup is larger than any that is written.")
    told = json.loads(archive.read(_MANIFEST))
    if isinstance(told, dict) and told.get("format") != 1:
        raise BackupError("This backup was made by a newer lossnlp; use that version to put it back.")
    try:
        return Manifest.model_validate(told)
    except ValidationError:
        raise ValueError(_MANIFEST) from None
