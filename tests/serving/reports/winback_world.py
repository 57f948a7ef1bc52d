"""Lost deals to call back, and people who look at them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from serving.intake import Assessor, Intake
from serving.metrics import Metrics
from serving.people.access import FORM_HEADER, Role, Viewer, require_viewer
from serving.reports.winback_entries import EntryMaker
from serving.reports.winback_windows import read_windows
from serving.reports.winbacks import WinbackList
from serving.store import Database, now
from serving.tables import InboxRow, LossElementRow, LossRow, ReopenedRow

TAXONOMY = get_default_taxonomy()
TOKEN = "a-form-token"  # noqa: S105 - of a test
TODAY = now().date()


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


def open_list(**changes: Any) -> WinbackList:
    return WinbackList(EntryMaker(TAXONOMY, changes.pop("windows", read_windows(None, TAXONOMY.codes)), **changes))


class Losses:
    """Puts lost deals into a database.

    Args:
        database: The database.
        assessor: Reads them.
    """

    def __init__(self, database: Database, assessor: Assessor) -> None:
        self.database = database
        self._intake = Intake(assessor, database, Metrics())

    def add(self, deal_id: str, text: str = "the price was it", **changes: Any) -> str:
        """Gives the id of a new lost deal with a way back and no date; `changes` are columns of its row, `gaps` its gaps."""
        gaps = changes.pop("gaps", ())
        fields = {"id": deal_id, "closed_at": str(TODAY), "account": f"Account {deal_id}"}
        document = {"id": "n", "kind": "rep_note", "text": text}
        self._intake.take_deal(Deal.from_request({"deal": fields, "documents": [document]}))
        with self.database.writing() as session:
            row = session.get_one(LossRow, deal_id)
            for name, value in ({"winback": "open", "revisit_on": None} | changes).items():
                setattr(row, name, value)
            session.add_all([LossElementRow(deal_id=deal_id, element=gap, state="gap") for gap in gaps])
            session.commit()
        return deal_id

    def told_by(self, crm: str, *deal_ids: str) -> None:
        """Makes the deals known to have come from a CRM."""
        at = now()
        with self.database.writing() as session:
            for deal_id in deal_ids:
                event = {"crm": crm, "key": deal_id, "deal_id": deal_id, "door": "poll", "state": "taken"}
                session.add(InboxRow(**event, received_at=at, due_at=at))
            session.commit()

    def reopened(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(ReopenedRow.deal_id)))

    def ids(self, *wanted: Any, **more: Any) -> list[str]:
        """Gives the deals on the list, in its order."""
        with self.database.reading() as session:
            return [entry.loss.deal_id for entry in open_list().find(session, *wanted, **more)]


def browser(
    app: FastAPI, *routers: APIRouter, role: Role = "leader", teams: tuple[str, ...] = (), owner: str | None = None
) -> TestClient:
    """Gives a browser of a person of this role; what they send carries their form's token."""
    for router in routers:
        app.include_router(router)
    viewer = Viewer(1, "Vera Viewer", role, teams, owner, TOKEN)
    app.dependency_overrides[require_viewer] = lambda: viewer
    return TestClient(app, headers={FORM_HEADER: TOKEN}, follow_redirects=False)
