"""A challenger in the shadow: it reads every new deal after the answer has left, and only what it reads otherwise is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Condition, Event, Thread

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.intake import Assessor
from serving.logs import describe_error, short_cause
from serving.metrics import Metrics
from serving.model.comparison import compare
from serving.model.following import load_warm
from serving.model.loading import LoadBundle, bundle_loader, challenger_source
from serving.model.sources import BundleSource, Named
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import ShadowDifferenceRow, ShadowReadingRow

MOST_WAITING = 64
_GRACE_S = 60.0
_LOOK_AGAIN_S = 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Offered:
    deal: Deal
    assessment_id: str
    assessment: Assessment


@dataclass(slots=True)
class Shadow:
    """Reads along with a challenger, in one thread, and begins no deal while one is being classified for an answer.

    Args:
        source: Names the challenger.
        load: Gives the assessor of a bundle folder.
        database: Where differences are kept.
        metrics: Where deals are counted.
        every_s: Time between two looks whether another challenger is named, in seconds.
        waiting: Deals that wait to be read; what comes when it is full is dropped and counted.
    """

    source: BundleSource
    load: LoadBundle
    database: Database
    metrics: Metrics
    every_s: float = 10.0
    waiting: Queue[_Offered] = field(default_factory=lambda: Queue(MOST_WAITING))
    _challenger: Assessor | None = None
    _named: Named | None = None
    _told: str = ""
    _live: int = 0
    _turn: Condition = field(default_factory=Condition)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Gives a context in which a deal is classified for an answer: the challenger begins none meanwhile."""
        with self._turn:
            self._live += 1
        try:
            yield
        finally:
            with self._turn:
                self._live -= 1
                self._turn.notify_all()

    def offer(self, deal: Deal, assessment_id: str, assessment: Assessment) -> None:
        """Hands a deal on whose answer is committed; returns at once."""
        try:
            self.waiting.put_nowait(_Offered(deal, assessment_id, assessment))
        except Full:
            self.metrics.count_shadow("dropped")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Reads along until the block ends; what waits then is dropped."""
        stop = Event()
        thread = Thread(target=self._run, args=(stop,), daemon=True, name="lossnlp-shadow")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_GRACE_S)

    def _run(self, stop: Event) -> None:
        due_s = 0.0
        while not stop.is_set():
            if time.monotonic() >= due_s:
                self.renew()
                due_s = time.monotonic() + self.every_s
            self.read_next(stop, wait_s=min(_LOOK_AGAIN_S, self.every_s))

    def renew(self) -> None:
        """Loads the challenger that is named now; one that cannot be had is told of once, and the one before stays."""
        try:
            named = self.source.find_named()
            if named != self._named:
                self._challenger = load_warm(self.load, self.source.fetch(named))
                self._named, self._told = named, ""
                _log.info("challenger_loaded", version=self._challenger.model_version, reference=named.reference)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with a challenger, the service goes on)
            why = short_cause(error)
            if why != self._told:
                _log.warning("challenger_refused", why=why)
            self._told = why

    def read_next(self, stop: Event, *, wait_s: float) -> None:
        """Reads the deal that has waited longest, once no other is being classified.

        Args:
            stop: Leaves it unread.
            wait_s: How long to wait for one, in seconds.
        """
        try:
            offered = self.waiting.get(timeout=wait_s)
        except Empty:
            return
        self._await_turn(stop)
        challenger = self._challenger
        if challenger is None or stop.is_set():
            self.metrics.count_shadow("dropped")
        elif challenger.model_version != offered.assessment.model.version:
            self._read(challenger, offered)

    def _await_turn(self, stop: Event) -> None:
        with self._turn:
            while self._live and not stop.is_set():
                self._turn.wait(_LOOK_AGAIN_S)

    def _read(self, challenger: Assessor, offered: _Offered) -> None:
        row = ShadowReadingRow(
            assessment_id=offered.assessment_id,
            deal_id=offered.deal.id,
            champion=offered.assessment.model.version,
            challenger=challenger.model_version,
            failed=False,
            created_at=now(),
        )
        try:
            row.differences = _differences(offered.assessment, challenger.assess(offered.deal))
        except Exception as error:  # noqa: BLE001 (what a challenger does not read counts against it, and nothing else)
            _log.warning("challenger_failed", deal_id=offered.deal.id, **describe_error(error))
            row.failed = True
        self._keep(row)

    def _keep(self, row: ShadowReadingRow) -> None:
        outcome = "failed" if row.failed else "compared"
        try:
            with self.database.writing() as session:
                session.add(row)
                session.commit()
        except SQLAlchemyError as error:
            _log.warning("shadow_not_recorded", **describe_error(error))
            outcome = "dropped"
        self.metrics.count_shadow(outcome)


def open_shadow(settings: Settings, database: Database, metrics: Metrics) -> Shadow | None:
    """Gives the challenger that the settings name, to be loaded in one processor thread; None where they name none.

    Args:
        settings: What the installation has set.
        database: Where differences are kept.
        metrics: Where deals are counted.

    Raises:
        ConfigurationError: The setting names a registry that cannot be asked.
    """
    source = challenger_source(settings)
    if source is None:
        return None
    return Shadow(source, bundle_loader(settings, threads=1), database, metrics, every_s=settings.model_every_s)


def _differences(ours: Assessment, theirs: Assessment) -> list[ShadowDifferenceRow]:
    return [
        ShadowDifferenceRow(field=found.field, champion_value=found.before, challenger_value=found.after)
        for found in compare(ours, theirs)
    ]
