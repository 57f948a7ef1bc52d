"""A whole lossnlp beside a real CRM: its inbox, classifier, queue and database, and what stands in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from serving.backfill import Backfill
from serving.closed_loop import ClosedLoop
from serving.crm.protocol import Crm, Fields
from serving.intake import Intake
from serving.metrics import Metrics
from serving.outbox import RETRY_AFTER_S, send_again
from serving.poller import Poller
from serving.receiver import Receiver
from serving.schema import open_database
from serving.store import Database, now
from serving.tables import AssessmentRow, AttemptRow, InboxRow, WriteBackRow
from serving.worker import Worker
from tests.serving.conftest import KeywordAssessor

ROOT = Path(__file__).parents[3]
REASON = "lossnlp_primary_reason"
# What is never written beside a person's own reason
SPEAKS_OF_REASON = ("lossnlp_confidence", "lossnlp_evidence")


@dataclass
class LiveClock:
    """The real time, ahead of itself by as much as a test likes."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead

    def move(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Service:
    """The loops around one CRM over a database of their own; each is driven until nothing is due.

    Args:
        crm: The connector.
        database: Where everything stands.
    """

    crm: Crm
    database: Database
    assessor: KeywordAssessor = field(default_factory=KeywordAssessor)
    clock: LiveClock = field(default_factory=LiveClock)

    @property
    def loop(self) -> ClosedLoop:
        intake = Intake(self.assessor, self.database, Metrics(), crm=self.crm.name)
        return ClosedLoop(
            Poller(self.database, self.crm, self.clock, since_on=date(2020, 1, 1)),
            Receiver(self.database, self.crm, intake, self.clock),
            Worker(self.database, self.crm, self.clock),
        )

    @property
    def backfill(self) -> Backfill:
        return Backfill(self.loop.receiver, self.loop.worker)

    def run(self, *, poll: bool = False) -> None:
        self.loop.run_once(poll=poll)

    def run_later(self) -> None:
        """Runs when what failed a moment ago is due again."""
        self.clock.move(RETRY_AFTER_S[0])
        self.run()

    def apply_batch(self, since: datetime) -> str:
        """Gives the id of a backfill of the deals lost since a moment that has come to its end."""
        batch_id = self.backfill.begin(since)
        for _ in self.backfill.steps(batch_id):
            continue
        return batch_id

    def send_again(self, deal_id: str) -> None:
        with self.database.writing() as session:
            row = session.get_one(WriteBackRow, self.get_write_back(deal_id).id)
            send_again(row)
            session.commit()

    def find_answers(self, deal_id: str) -> list[AssessmentRow]:
        with self.database.reading() as session:
            return list(session.scalars(select(AssessmentRow).filter_by(deal_id=deal_id)))

    def find_events(self, deal_id: str) -> list[InboxRow]:
        with self.database.reading() as session:
            return list(session.scalars(select(InboxRow).filter_by(deal_id=deal_id).order_by(InboxRow.id)))

    def find_doors(self, deal_id: str) -> list[str]:
        """Gives where each event about a deal came in, oldest first."""
        return [event.door for event in self.find_events(deal_id)]

    def count_answers(self) -> dict[str, int]:
        """Gives how many answers each deal has."""
        query = select(AssessmentRow.deal_id, func.count()).group_by(AssessmentRow.deal_id)
        with self.database.reading() as session:
            return dict(session.execute(query).all())

    def get_write_back(self, deal_id: str) -> WriteBackRow:
        with self.database.reading() as session:
            return session.scalars(select(WriteBackRow).filter_by(deal_id=deal_id)).one()

    def find_attempts(self, deal_id: str) -> list[tuple[str | None, str | None]]:
        """Gives outcome and cause of each try to write, oldest first."""
        query = select(AttemptRow.outcome, AttemptRow.error).join(WriteBackRow).filter_by(deal_id=deal_id)
        with self.database.reading() as session:
            return [(outcome, error) for outcome, error in session.execute(query.order_by(AttemptRow.id))]

    def accepted(self, deal_id: str) -> Fields:
        """Gives our fields as the one stored answer of a deal has accepted them; said here once more, not by the code under test."""
        [answer] = self.find_answers(deal_id)
        told = answer.assessment
        primary = told["reasons"][0]
        values: dict[str, Fields] = {
            "primary_reason": {
                REASON: primary["code"],
                "lossnlp_confidence": primary["confidence"],
                "lossnlp_evidence": primary["evidence"][0]["text"],
            },
            "external_only": {"lossnlp_external_only": told["flags"]["external_only"]["value"]},
            "winback": {"lossnlp_winback": told["winback"]["state"]},
            "meddpicc.champion": {"lossnlp_gap_champion": told["meddpicc"]["champion"]["state"]},
        }
        found = {name: value for part in told["accepted"] for name, value in values[part].items()}
        return found | _origin(answer) if found else {}

    def accepted_beside(self, deal_id: str, reason: str) -> Fields:
        """Gives the same where a person has set another reason."""
        accepted = self.accepted(deal_id)
        return {name: value for name, value in accepted.items() if name not in SPEAKS_OF_REASON} | {REASON: reason}


def _origin(answer: AssessmentRow) -> Fields:
    return {
        "lossnlp_model_version": answer.model_version,
        "lossnlp_assessed_at": answer.created_at.isoformat(timespec="seconds"),
        "lossnlp_review_state": "waiting" if answer.review_required else "accepted",
    }


@contextmanager
def service_beside(crm: Crm, database_url: str) -> Iterator[Service]:
    """Gives the service around a CRM, over a migrated database."""
    database = open_database(database_url)
    try:
        yield Service(crm, database)
    finally:
        database.close()


def run_command(*words: str) -> str:
    """Gives what a command of `lossnlp-serve` prints, run as a process of its own with this environment."""
    command = [sys.executable, "-m", "serving.cli", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    return done.stdout
