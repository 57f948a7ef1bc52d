"""Follows the champion: what the source names is loaded beside the model in service, tried, and put in its place."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lossnlp.deal import Deal
from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import Taxonomy
from serving.intake import Assessor
from serving.logs import describe_error, short_cause
from serving.loops import repeat
from serving.metrics import Metrics
from serving.model.history import ServiceRecord
from serving.model.in_service import ModelInService
from serving.model.loading import LoadBundle, bundle_loader, champion_source
from serving.model.sources import BundleSource, Named, SourceAwayError
from serving.settings import Settings

_WARM_UP = Deal.from_request(
    {
        "id": "warm-up",
        "text": "Lost on price, 30% lower. The sponsor left in May and nobody saw a business case. Back in Q2.",
        "closed_at": "2026-11-20",
    }
)
_GRACE_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Follower:
    """Keeps the model in service at what the source names; one bundle is taken at a time, by one thread.

    Args:
        source: Names the bundle.
        load: Gives the assessor of a bundle folder, checked and usable here.
        model: What answers.
        named: The bundle that it holds.
        every_s: Time between two looks at the source, in seconds.
        refused: The last bundle that was not taken: it is not tried again until it changes.
        is_away: Whether the source did not answer at the last look.
        on_labels: Called after a swap to a model with other labels.
    """

    source: BundleSource
    load: LoadBundle
    model: ModelInService
    named: Named
    every_s: float = 10.0
    refused: Named | None = None
    is_away: bool = False
    on_labels: Callable[[], object] = field(default=lambda: None)

    @contextmanager
    def watching(self, record: ServiceRecord, metrics: Metrics) -> Iterator[None]:
        """Follows in a thread until the block ends, and notes which model served when.

        Args:
            record: Where that is noted.
            metrics: Where swaps and refusals are counted.
        """
        _note(lambda: record.begin(self.named.reference, self.model.model_version))
        metrics.show_model(self.model.model_version)
        stop = Event()
        thread = Thread(target=self._run, args=(stop, record, metrics), daemon=True, name="lossnlp-follow")
        if self.source.may_change:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            if thread.is_alive():
                thread.join(_GRACE_S)
            _note(record.end)

    def _run(self, stop: Event, record: ServiceRecord, metrics: Metrics) -> None:
        repeat(lambda: self.look(record, metrics), stop, wait_s=self.every_s, name="follow")

    def look(self, record: ServiceRecord, metrics: Metrics) -> bool:
        """Says whether another model was put in service; one that cannot be taken is refused and the one in service stays.

        Args:
            record: Where it is noted.
            metrics: Where it is counted.
        """
        wanted = self.named
        try:
            wanted = self.source.find_named()
            self._tell_back()
            if self._is_known(wanted):
                return False
            following = load_warm(self.load, self.source.fetch(wanted))
        except SourceAwayError as error:
            self._tell_away(error, metrics)
            return False
        except Exception as error:  # noqa: BLE001 (whatever is wrong with a bundle, the one in service stays)
            self._refuse(wanted, error, record, metrics)
            return False
        self._swap(following, wanted, record, metrics)
        return True

    def _is_known(self, wanted: Named) -> bool:
        if wanted == self.named:
            self.refused = None  # it was switched back; the same mistake again is told again
        return wanted in (self.named, self.refused)

    def _swap(self, following: Assessor, named: Named, record: ServiceRecord, metrics: Metrics) -> None:
        before, taxonomy = self.model.model_version, self.model.taxonomy
        self.model.replace(following)
        self.named, self.refused = named, None
        gc.collect()  # the model before is held by nothing but requests under way; its memory goes with the last of them
        metrics.count_swap("swapped")
        metrics.show_model(following.model_version)
        _log.info("model_swapped", version=following.model_version, before=before, reference=named.reference)
        _note(lambda: record.begin(named.reference, following.model_version))
        if _differ(taxonomy, following.taxonomy):
            self.on_labels()

    def _refuse(self, wanted: Named, error: Exception, record: ServiceRecord, metrics: Metrics) -> None:
        told: dict[str, Any] = {"why": error.message} if isinstance(error, LossNlpError) else describe_error(error)
        cause = short_cause(error)
        if wanted == self.named:  # the source itself names nothing that can be looked for: told once, asked again
            wanted = Named("", cause)
            if wanted == self.refused:
                return
        self.refused = wanted
        metrics.count_swap("refused")
        _log.error("model_refused", reference=wanted.reference, serving=self.model.model_version, **told)
        _note(lambda: record.refuse(wanted.reference, cause))

    def _tell_away(self, error: SourceAwayError, metrics: Metrics) -> None:
        metrics.count_swap("source_away")
        if not self.is_away:
            _log.warning("model_source_away", why=error.message, serving=self.model.model_version)
        self.is_away = True

    def _tell_back(self) -> None:
        if self.is_away:
            _log.info("model_source_back")
        self.is_away = False


def open_follower(source: BundleSource, load: LoadBundle, *, every_s: float) -> Follower:
    """Gives what follows a source, with the bundle that it names now loaded and tried.

    Args:
        source: Names the bundle.
        load: Gives the assessor of a bundle folder.
        every_s: Time between two looks, in seconds.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        SourceAwayError: The source cannot be asked and nothing of it is at hand.
    """
    named = _find_first(source)
    first = load_warm(load, source.fetch(named))
    return Follower(source, load, ModelInService(first), named, every_s=every_s)


def _find_first(source: BundleSource) -> Named:
    """Gives the bundle that is named; where the source is away, the one that was fetched last."""
    try:
        return source.find_named()
    except SourceAwayError as error:
        last = source.find_last()
        if last is None:
            raise
        _log.warning("model_source_away", why=error.message, starting_with=last.reference)
        return last


def open_model(settings: Settings) -> Follower:
    """Gives what follows the model that the settings name, loaded.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        ConfigurationError: The setting, or a company's own file beside it, cannot be used.
    """
    return open_follower(champion_source(settings), bundle_loader(settings), every_s=settings.model_every_s)


def load_warm(load: LoadBundle, folder: Path) -> Assessor:
    """Gives the assessor of a bundle after it has read a text: what is slow the first time is behind it, what cannot read is found."""
    assessor = load(folder)
    assessor.assess(_WARM_UP)
    return assessor


def _differ(one: Taxonomy, other: Taxonomy) -> bool:
    return one is not other and one != other


def _note(write: Callable[[], None]) -> None:
    """Writes the record; a database that is away must not hold a model up."""
    try:
        write()
    except SQLAlchemyError as error:
        _log.warning("model_not_recorded", **describe_error(error))
