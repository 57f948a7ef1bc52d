"""What a model in service comes from: a source that names a bundle, now this one, now that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from lossnlp.bundle import find_default_bundle
from lossnlp.errors import LossNlpError
from serving.errors import ConfigurationError


class SourceAwayError(LossNlpError):
    """Says that a source cannot be asked at the moment; it is asked again."""

    code = "source_away"


@dataclass(frozen=True, slots=True)
class Named:
    """The bundle that a source names.

    Args:
        reference: What it is called there: the name of a folder, or a version of the registry.
        mark: Changes whenever the bundle behind the reference does.
    """

    reference: str
    mark: str = ""


class BundleSource(Protocol):
    """Names a bundle, now this one, now that."""

    @property
    def may_change(self) -> bool:
        """Whether it is worth asking again."""

    def find_named(self) -> Named:
        """Gives the bundle that is named now; cheap, for it is asked every few seconds.

        Raises:
            BundleError: It names none.
            SourceAwayError: It cannot be asked.
        """

    def find_last(self) -> Named | None:
        """Gives the bundle that was fetched last, for when the source is away; None where none is at hand."""

    def fetch(self, named: Named) -> Path:
        """Gives the folder of a named bundle on this machine, not checked yet.

        Raises:
            BundleError: It cannot be had whole.
            SourceAwayError: The source cannot be asked.
        """

    def find_bundle(self, wanted: str) -> Named:
        """Gives the bundle that a person names, in the words of the source.

        Raises:
            BundleError: There is none, or it is not whole.
            ConfigurationError: The source holds one bundle alone.
            SourceAwayError: The source cannot be asked.
        """

    def point(self, named: Named) -> None:
        """Makes the source name this bundle from now on, at one stroke.

        Raises:
            BundleError: It is not there any more.
            ConfigurationError: The source holds one bundle alone.
            SourceAwayError: The source cannot be asked.
        """


@dataclass(frozen=True, slots=True)
class ShippedSource:
    """The bundle that ships with lossnlp, which never changes while it runs."""

    may_change: bool = False

    def find_named(self) -> Named:
        """Gives the bundle that ships."""
        return Named("shipped")

    def find_last(self) -> Named | None:
        """Gives none: it is never away."""

    def fetch(self, _named: Named) -> Path:
        """Gives its folder."""
        return find_default_bundle()

    def find_bundle(self, _wanted: str) -> Named:
        """Raises: there is no other."""
        raise one_bundle_alone("not set")

    def point(self, _named: Named) -> None:
        """Raises: there is no other."""
        raise one_bundle_alone("not set")


def one_bundle_alone(setting: str) -> ConfigurationError:
    """Gives the error that says how several bundles are held.

    Args:
        setting: What LOSSNLP_MODEL says.
    """
    message = (
        f"LOSSNLP_MODEL is {setting} and names one bundle; to switch between several, set it to a folder that holds them "
        "(a new one will do), or to an alias of a registry."
    )
    return ConfigurationError(message, field="LOSSNLP_MODEL")


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """Gives an empty folder that takes the name of `folder` when the block ends well: it appears whole or not at all."""
    fresh = folder.with_name(f".{folder.name}-{uuid4().hex}")
    fresh.mkdir(parents=True)
    try:
        yield fresh
        _put(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _put(fresh: Path, folder: Path) -> None:
    """Gives the folder its name; another process may have been sooner with the same."""
    try:
        fresh.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
