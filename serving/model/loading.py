"""Loads the models that the settings name: the one in service, and a challenger beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lossnlp.bundle import read_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.cores import usable_cores
from lossnlp.pointer import CHALLENGER, CHAMPION, find_bundle_folder
from serving.crm.connect import read_field_map
from serving.intake import Assessor
from serving.model.folder import FolderSource
from serving.model.registry import REGISTRY, open_registry
from serving.model.sources import BundleSource, ShippedSource
from serving.reports.winbacks import open_winbacks
from serving.settings import Settings

LoadBundle = Callable[[Path], Assessor]


def champion_source(settings: Settings) -> BundleSource:
    """Gives where the model in service comes from.

    Raises:
        ConfigurationError: LOSSNLP_MODEL names a registry that cannot be asked.
    """
    return _open_source(settings, settings.model, alias=CHAMPION) if settings.model else ShippedSource()


def challenger_source(settings: Settings) -> BundleSource | None:
    """Gives where a challenger comes from, None where none reads along.

    Raises:
        ConfigurationError: LOSSNLP_SHADOW_MODEL names a registry that cannot be asked.
    """
    named = settings.shadow_model
    return _open_source(settings, named, alias=CHALLENGER) if named else None


def bundle_loader(settings: Settings, *, threads: int | None = None) -> LoadBundle:
    """Gives what loads a bundle with the names and the fiscal year that the settings tell.

    A bundle whose labels do not go with the company's own files, of CRM words and of win-back windows, raises ConfigurationError.

    Args:
        settings: What the installation has set.
        threads: Processor threads of the model; None takes what the settings say.
    """

    def load(folder: Path) -> Assessor:
        classifier = LossClassifier(
            read_bundle(find_bundle_folder(folder), keys=settings.bundle_key),
            rivals=settings.rivals,
            own_names=settings.own_names,
            fiscal_year_starts=settings.fiscal_year_starts,
            threads=model_threads(settings) if threads is None else threads,
        )
        read_field_map(settings, classifier.taxonomy)
        open_winbacks(classifier.taxonomy, fiscal_year_starts=settings.fiscal_year_starts)
        return classifier

    return load


def model_threads(settings: Settings) -> int:
    """Gives the processor threads of a process's model, 0 for the runtime's choice where it may have the whole machine."""
    cores = usable_cores()
    if settings.threads or (settings.processes == 1 and cores == os.cpu_count()):
        return settings.threads
    return max(1, cores // (settings.processes or cores))


def load_assessor(settings: Settings) -> Assessor:
    """Gives the classifier of the bundle that the settings name at this moment.

    Raises:
        BundleError: The bundle is missing, incomplete, altered, or not signed by LOSSNLP_BUNDLE_KEY where that is set.
        ConfigurationError: A company's own file names labels that the model does not know.
    """
    source = champion_source(settings)
    return bundle_loader(settings)(source.fetch(source.find_named()))


def _open_source(settings: Settings, named: str, *, alias: str) -> BundleSource:
    if named.startswith(REGISTRY):
        return open_registry(settings, named, alias=alias)
    return FolderSource(Path(named), alias)
