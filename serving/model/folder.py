"""A model in service that comes from a folder: a bundle, a link to one, or several with a pointer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lossnlp.bundle import MANIFEST, Bundle, read_bundle
from lossnlp.errors import BundleError
from lossnlp.pointer import CHAMPION, find_bundle_folder, write_pointer
from lossnlp.signing import SIGNATURE
from serving.model.sources import Named, made_whole, one_bundle_alone


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A bundle folder, a link to one, or a folder of bundles with a pointer.

    Args:
        folder: The path, as it was set.
        alias: Name of the pointer.
    """

    folder: Path
    alias: str = CHAMPION
    may_change: bool = True

    def find_named(self) -> Named:
        """Gives the bundle that the path leads to now; its mark is made of the size and time of every file.

        One of a folder of bundles is called by its name there, as the folder may be mounted elsewhere in another process.
        """
        found = find_bundle_folder(self.folder, alias=self.alias)
        is_pointed = found.parent == self.folder.resolve()
        return Named(found.name if is_pointed else str(found), _mark(found))

    def find_last(self) -> Named | None:
        """Gives none: a folder that cannot be read is a fault, not a source that is away."""

    def fetch(self, named: Named) -> Path:
        """Gives the folder: it is on this machine already."""
        return self.folder.resolve() / named.reference

    def find_bundle(self, wanted: str) -> Named:
        """Gives a bundle by its name or model version in the folder, or by its path; from elsewhere it is copied in."""
        folder = self._hold_several()
        if wanted == Path(wanted).name and _is_bundle(folder / wanted):
            return Named(wanted)
        if _is_bundle(elsewhere := Path(wanted).resolve()):
            return Named(_copy(read_bundle(elsewhere), folder).name)
        for bundle in _find_bundles(folder):
            if bundle.manifest.version == wanted:
                return Named(bundle.folder.name)
        raise BundleError(f"'{wanted}' is neither the path of a bundle nor the name or version of one in {folder}.")

    def point(self, named: Named) -> None:
        """Replaces the pointer."""
        write_pointer(self._hold_several(), named.reference, alias=self.alias)

    def _hold_several(self) -> Path:
        if _is_bundle(self.folder):
            raise one_bundle_alone(str(self.folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder.resolve()


def _is_bundle(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _find_bundles(folder: Path) -> Iterator[Bundle]:
    """Gives the bundles of a folder that are whole."""
    for found in sorted(folder.iterdir()):
        if _is_bundle(found):
            try:
                yield read_bundle(found)
            except BundleError:  # a broken neighbour is no reason to find no other
                continue


def _copy(bundle: Bundle, folder: Path) -> Path:
    """Gives the bundle in the folder, under its model version; a copy appears whole or not at all."""
    if bundle.folder.parent == folder:
        return bundle.folder
    there = folder / bundle.manifest.version
    signature = [SIGNATURE] if bundle.path(SIGNATURE).is_file() else []
    if not there.is_dir():
        with made_whole(there) as fresh:
            for name in (*bundle.manifest.files, MANIFEST, *signature):
                shutil.copyfile(bundle.path(name), fresh / name)
    elif signature and (there / MANIFEST).read_bytes() == bundle.path(MANIFEST).read_bytes():
        shutil.copyfile(bundle.path(SIGNATURE), there / SIGNATURE)  # it was signed since
    return there


def _mark(folder: Path) -> str:
    """Gives what changes when a bundle is written anew in its place; a folder that holds none has none."""
    try:
        files = sorted((file.name, file.stat()) for file in folder.iterdir() if file.is_file())
    except OSError:  # it is not there, or a file went away between two looks
        return ""
    told = [f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in files]
    return "|".join(told) if any(name == MANIFEST for name, _ in files) else ""
