"""A database with a deal that names people in every place, and another one of somebody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import func, select

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.crm.demo import DemoCrm
from serving.intake import Intake
from serving.metrics import Metrics
from serving.privacy.words import find_rows, strings_of, text_columns
from serving.review.said import Said
from serving.review.seal import Seal
from serving.review.verdicts import Bench
from serving.store import Database, now
from serving.tables import InboxRow, PersonRow, Table
from serving.worker import Worker
from tests.serving.conftest import KeywordAssessor

SEAL = Seal(Fernet.generate_key().decode())
NOTE = "Zebulina Quackenbush said the price was too high for Kestrel. zebulina was clear; zeb.q@kestrel.example knows."
OTHER = "The budget was frozen by a new board and nobody could say for how long."
LATER = timedelta(days=400)


class QuotingAssessor(KeywordAssessor):
    """Quotes the whole text for the first reason, with a buyer as its speaker."""

    def assess(self, deal: Deal, /) -> Assessment:
        answer = super().assess(deal).model_dump(mode="json")
        document = deal.documents[0]
        text = document.text or ""
        whole = {"document_id": document.id, "start": 0, "end": len(text), "text": text}
        answer["reasons"][0]["evidence"] = [{**whole, "speaker": text.split()[0], "role": "buyer"}]
        answer["winback"]["revisit_text"] = text[:20]
        return Assessment.model_validate(answer)


def make_deal(deal_id: str, text: str, **fields: Any) -> Deal:
    documents = [{"id": "note", "kind": "rep_note", "text": text}]
    return Deal.from_request({"deal": {"id": deal_id, **fields}, "documents": documents})


class World:
    """The deals `d-1`, which names Zebulina Quackenbush everywhere, and `d-2`, which does not."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.intake = Intake(QuotingAssessor(), database, Metrics(), crm="demo", seal=SEAL)
        fields = {
            "owner": "Zebulina Quackenbush",
            "account": "Kestrel",
            "stated_reason": "told by Zebulina Quackenbush",
        }
        self.first = self.intake.take_deal(make_deal("d-1", NOTE, **fields)).id
        self.second = self.intake.take_deal(make_deal("d-2", OTHER, owner="Ana Kirk")).id
        with database.writing() as session:
            person = PersonRow(email="zeb.q@kestrel.example", name="Zebulina Quackenbush", role="ops", created_at=now())
            session.add(person)
            session.add(
                InboxRow(
                    crm="demo",
                    key="poll:d-1",
                    deal_id="d-1",
                    door="poll",
                    state="taken",
                    received_at=now(),
                    due_at=now(),
                    settled_at=now(),
                )
            )
            session.flush()
            said = Said("accept", comment="Zebulina Quackenbush told me so herself")
            Bench(self.intake.assessor.taxonomy, "demo").give(session, self.first, person, said)
            session.commit()

    def send(self) -> DemoCrm:
        """Gives the CRM after all that waits was sent to it."""
        crm = DemoCrm(deals=[{"deal": {"id": name, "closed_at": "2026-11-02"}} for name in ("d-1", "d-2")])
        while Worker(self.database, crm).send_due():
            continue
        return crm

    def texts(self) -> str:
        """Gives all that stands in any text column."""
        with self.database.reading() as session:
            places = find_rows(session, lambda _: True)
            values = [row[column.name] for table, row in places for column in text_columns(table)]
        return "\n".join(text for value in values for text in strings_of(value))

    def count(self, table: type[Table]) -> int:
        """Gives how many rows a table has."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0
