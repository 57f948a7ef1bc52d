"""A desk that is really served: its deals, its people, and what stands in its database afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select, update

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.crm.demo import DemoCrm
from serving.intake import Intake, parse_deal
from serving.people.accounts import Access, NewPerson, add_person
from serving.store import Database, now
from serving.tables import ReviewRow, VerdictRow, WriteBackRow
from tests.serving.conftest import KeywordAssessor

PASSWORD = "five plain words of a test"  # noqa: S105 (of people who are made for a test)
_ACCESS = {
    "ana": Access("ops"),
    "ben": Access("ops"),
    "lea": Access("leader"),
    "mo": Access("manager", ("North",)),
    "riley": Access("rep", owner="Riley Rep"),
    "ada": Access("admin"),
}


class UnsureAssessor(KeywordAssessor):
    """Reads by words, and asks for a person each time; only what it says of the champion needs none."""

    def assess(self, deal: Deal, /) -> Assessment:
        read = super().assess(deal).model_dump()
        document = deal.documents[0]
        text = document.text or ""
        read["review"] = {"required": True, "because": ["primary_reason_uncertain"]}
        read["accepted"] = ["meddpicc.champion"]
        read["questions"] = ["Who signs, and what does that person measure?"]
        if (start := text.find("champion")) >= 0:
            quote = {"document_id": document.id, "start": start, "end": start + 8, "text": "champion", "role": "rep"}
            read["meddpicc"]["champion"] = {"state": "gap", "confidence": 0.7, "evidence": [quote]}
        if (start := text.find("Rostera")) >= 0:
            span = {"document_id": document.id, "start": start, "end": start + 7, "text": "Rostera"}
            read["competitors"] = [{**span, "name": "Rostera", "role": "won", "confidence": 0.8}]
        return Assessment.model_validate(read)


def add_people(database: Database) -> None:
    """Makes one account of each role, and of `ops` two."""
    with database.writing() as session:
        for name, access in _ACCESS.items():
            add_person(session, NewPerson(email_of(name), name.title(), access, PASSWORD), at=now())
        session.commit()


def email_of(name: str) -> str:
    return f"{name}@example.com"


@dataclass(frozen=True)
class ServedDesk:
    """An application that answers at `url`, beside what its tests put in and look up."""

    url: str
    app: FastAPI
    database: Database
    crm: DemoCrm
    cookies: dict[str, Any] = field(default_factory=dict)

    def add_deal(self, deal_id: str, text: str = "Lost on price, the champion left.", **fields: Any) -> int:
        """Gives the id of the review of a deal that the CRM holds."""
        wanted = fields.pop("wanted", 1)
        given = {"id": deal_id, "account": f"{deal_id} Works", "amount": 50_000, "currency": "EUR", **fields}
        request = {"deal": given, "documents": [{"id": "note", "kind": "rep_note", "text": text}]}
        self.crm.add_deal(request)
        intake: Intake = self.app.state.intake
        taken = intake.take_deal(parse_deal(request))
        with self.database.writing() as session:
            review = session.scalars(select(ReviewRow).where(ReviewRow.assessment_id == taken.id)).one()
            review.wanted = wanted
            session.commit()
            return review.id

    def review_of(self, deal_id: str) -> int:
        with self.database.reading() as session:
            return session.scalars(select(ReviewRow.id).where(ReviewRow.deal_id == deal_id)).one()

    def settle_all(self) -> None:
        """Empties the queue."""
        with self.database.writing() as session:
            session.execute(update(ReviewRow).values(state="replaced", claimed_by_id=None, claimed_until_at=None))
            session.commit()

    def verdict_of(self, deal_id: str) -> VerdictRow:
        """Gives the newest verdict on a deal."""
        with self.database.reading() as session:
            query = select(VerdictRow).where(VerdictRow.deal_id == deal_id)
            return session.scalars(query.order_by(VerdictRow.id.desc()).limit(1)).one()

    def n_verdicts(self, deal_id: str) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(VerdictRow).where(VerdictRow.deal_id == deal_id)).all())

    def queued(self, deal_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Gives state and values of the write-backs of a deal, oldest first."""
        with self.database.reading() as session:
            query = select(WriteBackRow).where(WriteBackRow.deal_id == deal_id).order_by(WriteBackRow.id)
            return [(row.state, row.planned) for row in session.scalars(query)]
