"""The closed loop: lost deals come in from the CRM, are assessed, and accepted values go back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

from serving.crm.connect import connect_crm, read_field_map
from serving.crm.protocol import Crm
from serving.drift.weekly import run_looks
from serving.intake import Intake, open_intake
from serving.load.caller import Caller
from serving.metrics import Metrics
from serving.model.following import Follower, open_model
from serving.model.history import ServiceRecord
from serving.model.shadow import open_shadow
from serving.poller import Poller
from serving.privacy.retention import run_retention
from serving.receiver import Receiver
from serving.reports.pack_files import run_packs
from serving.reports.winback_reminders import open_reminders
from serving.schema import open_database
from serving.settings import Settings
from serving.traces import Traces, open_traces
from serving.worker import Worker

_GRACE_S = 30.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """The three loops around one CRM.

    Args:
        poller: Finds lost deals.
        receiver: Fetches and assesses those found or told of.
        worker: Sends what was accepted.
        daily: Loops of what is looked at once a day: reminders of win-backs, the monthly pack, the weekly look at drift, retention.
    """

    poller: Poller
    receiver: Receiver
    worker: Worker
    daily: Sequence[Callable[[Event], None]] = ()

    def run_once(self, *, poll: bool = True) -> None:
        """Does what is due now; what waits for a later try is left.

        Args:
            poll: Whether to ask the CRM for lost deals first.

        Raises:
            CrmError: The CRM cannot be listed.
        """
        if poll:
            self.poller.poll()
        while self.receiver.take_due() + self.worker.send_due():
            continue

    def run(self, stop: Event, *, poll_every_s: float | None) -> None:
        """Runs all loops side by side until `stop` is set; work under way is finished first.

        Args:
            stop: Ends the loops.
            poll_every_s: Time between two polls, in seconds; None never polls.
        """
        runs = (self.receiver.run, self.worker.run, *self.daily)
        loops = [Thread(target=run, args=(stop,), daemon=True) for run in runs]
        if poll_every_s is not None:
            loops.append(Thread(target=self.poller.run, args=(stop,), kwargs={"every_s": poll_every_s}, daemon=True))
        for loop in loops:
            loop.start()
        stop.wait()
        for loop in loops:
            loop.join(_GRACE_S)


def open_closed_loop(settings: Settings) -> ClosedLoop:
    """Gives the loops over the database, CRM and model that the settings name.

    Args:
        settings: What the installation has set.

    Raises:
        ConfigurationError: No CRM is set, or it cannot be used.
        BundleError: The model cannot be loaded.
    """
    crm, database = connect_crm(settings), open_database(settings.database_url)
    return _around(settings, crm, open_intake(settings, open_model(settings).model, database, Metrics()), open_traces())


def _around(settings: Settings, crm: Crm, intake: Intake, traces: Traces) -> ClosedLoop:
    """Gives the loops around an intake, with the labels that its model has now."""
    database, taxonomy = intake.database, intake.assessor.taxonomy
    reminders = open_reminders(settings, database, crm=crm, taxonomy=taxonomy)
    return ClosedLoop(
        Poller(database, crm, since_on=settings.poll_since),
        Receiver(
            database,
            crm,
            intake.for_crm(crm.name).asked_by(Caller(is_bulk=True)),
            database.moment,
            traces=traces,
        ),
        Worker(database, crm, database.moment, fields=read_field_map(settings, taxonomy), traces=traces),
        (
            reminders.run,
            partial(run_packs, database, settings),
            partial(run_looks, database),
            partial(run_retention, database),
        ),
    )


def run_following(settings: Settings, stop: Event, *, poll: bool, follower: Follower | None = None) -> None:
    """Runs the loops until `stop` is set, always with the model that is named; when its labels change, they are opened anew.

    Args:
        settings: What the installation has set.
        stop: Ends the loops.
        poll: Whether to ask the CRM for lost deals from time to time.
        follower: Holds the model; None loads it.

    Raises:
        ConfigurationError: No CRM is set, or it cannot be used.
        BundleError: The model cannot be loaded.
    """
    database, metrics = open_database(settings.database_url), Metrics()
    following, shadow = follower or open_model(settings), open_shadow(settings, database, metrics)
    record = ServiceRecord(database, settings.model or "", "worker")
    every_s, traces = settings.poll_every_s if poll else None, open_traces()
    with following.watching(record, metrics), shadow.reading() if shadow else nullcontext():
        while not stop.is_set():
            with _until(stop, following) as ended:
                intake = open_intake(settings, following.model, database, metrics, companion=shadow)
                _around(settings, connect_crm(settings), intake, traces).run(ended, poll_every_s=every_s)
    traces.close()


@contextmanager
def _until(stop: Event, following: Follower) -> Iterator[Event]:
    """Gives an event that is set when the process is to stop or the labels of the model have changed."""
    ended = Event()

    def pass_on() -> None:
        while not ended.is_set():
            if stop.wait(_LOOK_S):
                ended.set()

    following.on_labels = ended.set
    watcher = Thread(target=pass_on, daemon=True)
    watcher.start()
    try:
        yield ended
    finally:
        ended.set()
        watcher.join()
