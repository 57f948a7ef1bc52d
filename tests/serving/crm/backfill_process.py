"""Runs a batch over and over in processes of their own, so that a test can kill them: one run for each line on standard input.

A line holds the seconds by which the run's clock is ahead: leases and waits of a killed run are over for the next one.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta

from serving.backfill import Backfill
from serving.intake import Intake
from serving.metrics import Metrics
from serving.receiver import Receiver
from serving.store import Database, now
from serving.worker import Worker
from tests.serving.conftest import KeywordAssessor
from tests.serving.crm.served import hubspot_line


def run(database_url: str, crm_url: str, batch_id: str, ahead_s: float) -> None:
    """Goes on with a batch until nothing is due."""

    def clock() -> datetime:
        return now() + timedelta(seconds=ahead_s)

    database = Database(database_url)
    with hubspot_line(crm_url) as line:
        line.crm.at_once = 20  # type: ignore[misc]  # more rounds, so more moments to be killed at
        intake = Intake(KeywordAssessor(), database, Metrics(), crm="hubspot")
        backfill = Backfill(Receiver(database, line.crm, intake, clock), Worker(database, line.crm, clock))
        for _ in backfill.steps(batch_id):
            continue


def main() -> None:
    """Forks a run for each line and says its process id, then `done` or `killed`."""
    database_url, crm_url, batch_id = sys.argv[1:]
    for said in sys.stdin:
        child = os.fork()
        if child == 0:
            run(database_url, crm_url, batch_id, float(said))
            os._exit(0)
        print(child, flush=True)  # noqa: T201 (the test reads it)
        _, status = os.waitpid(child, 0)
        print("done" if status == 0 else "killed", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
