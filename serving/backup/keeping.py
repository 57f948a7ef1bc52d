"""Makes a backup, proves it, and puts it back.

Source: decision record 28.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, make_url

from serving.backup import copies
from serving.backup.archive import BackupError, Kind, Manifest, digest_file, open_archive, write_archive
from serving.backup.contents import (
    AUDIT_LOG,
    TableContent,
    count_models,
    find_revision,
    holds_anything,
    read_contents,
    read_table,
)
from serving.schema import head_revision
from serving.store import make_database_folder, now, open_engine
from serving.tables import Table


def make_backup(url: str, path: Path) -> Manifest:
    """Gives what the new file holds; the database may be in use, and the file holds one moment of it.

    Args:
        url: Of the database.
        path: File that is written; one that is there is replaced at the end.

    Raises:
        BackupError: The database is not migrated or cannot be copied.
    """
    made_at = now()
    with TemporaryDirectory(prefix="lossnlp-backup-") as folder:
        copy = Path(folder) / "database"
        with copies.copied(url, copy) as connection:
            manifest = Manifest(
                made_at=made_at,
                lossnlp=version("lossnlp"),
                kind=_kind(url),
                schema_revision=_require_revision(connection),
                tables=read_contents(connection),
                models=count_models(connection),
                sha256=digest_file(copy),
            )
        write_archive(path, manifest, copy)
    return manifest


def check_backup(path: Path) -> Manifest:
    """Gives the manifest of a file that is whole: what its copy holds is what it tells of.

    Raises:
        BackupError: It is not.
    """
    with open_archive(path) as (manifest, copy):
        if manifest.kind == "sqlite":
            with copies.reading_copy(copy) as connection:
                _require_same(manifest, read_contents(connection), of=str(path))
        else:
            copies.list_copy(copy)
        return manifest


def find_differences(url: str, manifest: Manifest) -> list[str]:
    """Gives the tables in which a database differs from a backup, by content.

    The audit log can only grow: it differs where it does not begin with the rows of the backup.
    """
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return _differing(manifest.tables, _contents_beside(connection, manifest))
    finally:
        engine.dispose()


def restore_backup(url: str, path: Path, *, overwrites: bool = False) -> Manifest:
    """Gives what the database holds now, proved by content.

    Args:
        url: Of the database; an SQLite file is made where there is none.
        path: The file.
        overwrites: Whether deals, people and keys that the database holds may be lost.

    Raises:
        BackupError: The file is damaged, of the other kind of database or of a newer version, or the database holds something.
    """
    with open_archive(path) as (manifest, copy):
        _require_fitting(url, manifest)
        make_database_folder(url)
        _require_free(url, manifest, overwrites=overwrites)
        copies.put_back(url, copy)
    if differing := find_differences(url, manifest):
        raise BackupError(f"After it was put back the database differs in: {', '.join(differing)}.")
    return manifest


def _kind(url: str) -> Kind:
    return "sqlite" if make_url(url).get_backend_name() == "sqlite" else "postgresql"


def _require_revision(connection: Connection) -> str:
    revision = find_revision(connection)
    if revision is None:
        raise BackupError("The database has no tables of lossnlp; run `lossnlp-serve migrate`.")
    return revision


def _require_fitting(url: str, manifest: Manifest) -> None:
    if _kind(url) != manifest.kind:
        raise BackupError(
            f"The backup is of {manifest.kind}, LOSSNLP_DATABASE_URL of {_kind(url)}; put it back where it comes from."
        )
    if manifest.schema_revision > head_revision():
        raise BackupError(
            f"The backup is at revision {manifest.schema_revision}, this version knows {head_revision()}; use a newer one."
        )


def _require_free(url: str, manifest: Manifest, *, overwrites: bool) -> None:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            revision, is_in_use = find_revision(connection), holds_anything(connection)
    finally:
        engine.dispose()
    if is_in_use and not overwrites:
        raise BackupError(
            "The database holds deals, people or keys. Add --overwrite to lose them for those of the backup."
        )
    # SQLite's copy replaces the file page by page; pg_restore would leave tables that the backup does not know
    if manifest.kind == "postgresql" and revision not in (None, manifest.schema_revision):
        raise BackupError(
            f"The database is at revision {revision}, the backup at {manifest.schema_revision}; put it back into an empty database."
        )


def _contents_beside(connection: Connection, manifest: Manifest) -> dict[str, TableContent]:
    found = read_contents(connection)
    kept = manifest.tables.get(AUDIT_LOG)
    if kept is not None and AUDIT_LOG in found:
        found[AUDIT_LOG] = read_table(connection, Table.metadata.tables[AUDIT_LOG], first=kept.rows)
    return found


def _differing(told: Mapping[str, TableContent], found: Mapping[str, TableContent]) -> list[str]:
    return sorted(name for name in {*told, *found} if told.get(name) != found.get(name))


def _require_same(manifest: Manifest, found: Mapping[str, TableContent], *, of: str) -> None:
    if differing := _differing(manifest.tables, found):
        raise BackupError(f"{of} is damaged: it does not hold what its manifest tells of {', '.join(differing)}.")
