"""People who are signed in, and deals that wait for them; on each kind of database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

from lossnlp.deal import Deal
from serving.app import create_app
from serving.intake import Assessor, Intake
from serving.metrics import Metrics
from serving.people.access import COOKIE, FORM_HEADER
from serving.review.said import Said
from serving.review.verdict import VerdictKind, VerdictLabels
from serving.review.verdicts import Bench
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import PersonRow, ReviewCauseRow, ReviewRow, SessionRow, VerdictRow
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn

_ROLES = {"ana": "ops", "ben": "ops", "manager": "manager", "leader": "leader", "rep": "rep", "admin": "admin"}


@pytest.fixture
def people(database: Database) -> People:
    rows = {
        name: PersonRow(email=f"{name}@example.com", name=name.title(), role=role, teams=[], created_at=now())
        for name, role in _ROLES.items()
    }
    rows["manager"].teams, rows["rep"].owner = ["North"], "Riley Rep"
    with database.writing() as session:
        session.add_all(rows.values())
        session.commit()
    return People(**rows)


@pytest.fixture
def desk_settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        var_dir=tmp_path, database_url=database_url, api_key=SecretStr("a-key-that-is-long-enough"), crm="demo"
    )


@pytest.fixture
def desk_app(desk_settings: Settings, assessor: Assessor) -> Iterator[FastAPI]:
    """The running application."""
    app = create_app(desk_settings, assessor=assessor)
    with TestClient(app):
        yield app


@pytest.fixture
def signed_in(desk_app: FastAPI, database: Database) -> SignIn:
    """Gives a browser of a person: with their cookie, and with the token that their forms carry as a header."""

    def sign_in(person: PersonRow) -> TestClient:
        cookie, form_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with database.writing() as session:
            session.add(
                SessionRow(
                    token_sha256=digest_secret(cookie),
                    person_id=person.id,
                    form_token=form_token,
                    created_at=now(),
                    seen_at=now(),
                    expires_at=now() + timedelta(hours=1),
                )
            )
            session.commit()
        return TestClient(desk_app, cookies={COOKIE: cookie}, headers={FORM_HEADER: form_token}, follow_redirects=False)

    return sign_in


@pytest.fixture
def add_review(database: Database, assessor: Assessor) -> AddReview:
    """Gives the id of the review of a new deal: `fields` are the deal's own, `changes` what its review then says otherwise."""
    intake = Intake(assessor, database, Metrics(), crm="demo")

    def add(deal_id: str, text: str = "price", *, fields: dict[str, Any] | None = None, **changes: Any) -> int:
        deal = {"id": deal_id, **(fields or {})}
        documents = [{"id": "n", "kind": "rep_note", "text": text}]
        taken = intake.take_deal(Deal.from_request({"deal": deal, "documents": documents}))
        with database.writing() as session:
            review = session.scalars(select(ReviewRow).where(ReviewRow.assessment_id == taken.id)).one()
            causes = changes.pop("causes", None)
            if causes is not None:
                review.causes = [ReviewCauseRow(cause=cause) for cause in causes]
            for name, value in changes.items():
                setattr(review, name, value)
            session.commit()
            return review.id

    return add


@pytest.fixture
def judge(database: Database, assessor: Assessor) -> Judge:
    """Gives the verdict of a person on a review."""

    def give(
        person: PersonRow, review_id: int, kind: VerdictKind = "accept", labels: VerdictLabels | None = None
    ) -> VerdictRow:
        with database.writing() as session:
            review = session.get_one(ReviewRow, review_id)
            given = Bench(assessor.taxonomy, "demo").give(session, review.assessment_id, person, Said(kind, labels))
            session.commit()
            return given

    return give
