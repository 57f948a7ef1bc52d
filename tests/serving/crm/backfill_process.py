"""Runs a batch over and over in processes of their own, so that a test can kill them: one run for each line on standard input.

A line holds the seconds by which the run's clock is ahead: leases and waits of a killed run are over for the next one. The run begins
with the next line.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime, timedelta

import structlog

from serving.backfill import Backfill
from serving.crm.protocol import Crm
from serving.intake import Intake
from serving.metrics import Metrics
from serving.receiver import Receiver
from serving.store import Database, now
from serving.worker import Worker
from tests.serving.conftest import KeywordAssessor
from tests.serving.crm.served import hubspot_line


class FewAtOnce:
    """A CRM that is asked for a few deals at a time: more rounds, so more moments to be killed at.

    Args:
        crm: The CRM itself.
    """

    at_once = writes_at_once = 3

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    def __getattr__(self, name: str) -> object:
        return getattr(self._crm, name)


def run(database_url: str, crm_url: str, batch_id: str, ahead_s: float) -> None:
    """Goes on with a batch until nothing is due."""

    def clock() -> datetime:
        return now() + timedelta(seconds=ahead_s)

    database = Database(database_url)
    with hubspot_line(crm_url) as line:
        crm = FewAtOnce(line.crm)
        intake = Intake(KeywordAssessor(), database, Metrics(), crm="hubspot")
        backfill = Backfill(Receiver(database, crm, intake, clock), Worker(database, crm, clock))
        for _ in backfill.steps(batch_id):
            continue


def main() -> None:
    """Forks a run for each line and says its process id, then `done` or `killed`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    database_url, crm_url, batch_id = sys.argv[1:]
    for said in iter(sys.stdin.readline, ""):
        held, released = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(held, 1)
            run(database_url, crm_url, batch_id, float(said))
            os._exit(0)
        print(child, flush=True)  # noqa: T201 (the test reads it)
        sys.stdin.readline()
        os.write(released, b".")
        _, status = os.waitpid(child, 0)
        os.close(held)
        os.close(released)
        print("done" if status == 0 else "killed", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
