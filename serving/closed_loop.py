"""The closed loop: lost deals come in from the CRM, are assessed, and accepted values go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

from serving.app import load_assessor
from serving.crm.connect import connect_crm, read_field_map
from serving.drift.weekly import run_looks
from serving.intake import open_intake
from serving.metrics import Metrics
from serving.poller import Poller
from serving.receiver import Receiver
from serving.reports.pack_files import run_packs
from serving.reports.winback_reminders import open_reminders
from serving.schema import open_database
from serving.settings import Settings
from serving.worker import Worker

_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """The three loops around one CRM.

    Args:
        poller: Finds lost deals.
        receiver: Fetches and assesses those found or told of.
        worker: Sends what was accepted.
        daily: Loops of what is looked at once a day: reminders of win-backs, the monthly pack, the weekly look at drift.
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

    Raises:
        ConfigurationError: No CRM is set, or it cannot be used.
        BundleError: The model cannot be loaded.
    """
    crm, database = connect_crm(settings), open_database(settings.database_url)
    assessor = load_assessor(settings)
    reminders = open_reminders(settings, database, crm=crm, taxonomy=assessor.taxonomy)
    return ClosedLoop(
        Poller(database, crm, since_on=settings.poll_since),
        Receiver(database, crm, open_intake(settings, assessor, database, Metrics()).for_crm(crm.name)),
        Worker(database, crm, fields=read_field_map(settings, assessor.taxonomy)),
        (reminders.run, partial(run_packs, database, settings), partial(run_looks, database)),
    )
