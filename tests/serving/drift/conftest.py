"""Months of assessed deals before one Monday, and who looks at what has become of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import insert

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.app import create_app
from serving.drift.figures import read_figures
from serving.intake import Assessor
from serving.people.access import COOKIE
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import AssessmentRow, DealFiguresRow, DealRow, LossRow, PersonRow, SessionRow, Table

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
AddDeals = Callable[..., list[str]]


@pytest.fixture
def monday() -> datetime:
    return MONDAY


@pytest.fixture
def add_deals(database: Database, assessor: Assessor) -> AddDeals:
    """Gives the ids of the assessments of so many deals that were lost on one day, all in the same words."""

    def add(n: int, text: str, lost_on: date) -> list[str]:
        ids = [str(uuid4()) for _ in range(n)]
        deal = Deal.from_request({"id": "D", "text": text})
        made = [_rows(deal, assessor.assess(deal), assessment_id, lost_on) for assessment_id in ids]
        with database.writing() as session:
            for kind in (DealRow, AssessmentRow, LossRow, DealFiguresRow):
                session.execute(insert(kind), [rows[kind] for rows in made])
            session.commit()
        return ids

    return add


def _rows(deal: Deal, read: Assessment, assessment_id: str, lost_on: date) -> dict[type[Table], dict[str, Any]]:
    """Gives the rows that the intake of a deal makes."""
    deal_id, version = f"deal {assessment_id}", read.model.version
    code, confidence = read.primary.code, read.primary.confidence
    return {
        DealRow: {"id": deal_id, "closed_on": lost_on, "received_at": now()},
        AssessmentRow: {
            "id": assessment_id,
            "deal_id": deal_id,
            "content_sha256": "0" * 64,
            "model_version": version,
            "primary_reason": code,
            "review_required": read.review.required,
            "assessment": read.model_dump(mode="json"),
            "created_at": now(),
        },
        LossRow: {
            "deal_id": deal_id,
            "assessment_id": assessment_id,
            "lost_on": lost_on,
            "primary_reason": code,
            "read_reason": code,
            "confidence": confidence,
            "model_version": version,
            "winback": "unclear",
        },
        DealFiguresRow: {"assessment_id": assessment_id, **asdict(read_figures(deal))},
    }


@pytest.fixture
def months_before(add_deals: AddDeals) -> None:
    """Forty deals of the months before that were lost on price or legal."""
    add_deals(20, "price was far too high for them", MONDAY.date() - timedelta(days=60))
    add_deals(20, "legal took far too long for them", MONDAY.date() - timedelta(days=90))


@pytest.fixture
def changed(months_before: None, add_deals: AddDeals) -> list[str]:  # noqa: ARG001
    """Gives the assessments of thirty newest deals, which were lost on budget, in words not used before."""
    return add_deals(30, "budget was cut and nothing is left this year", MONDAY.date() - timedelta(days=5))


@pytest.fixture
def open_as(
    database_url: str, tmp_path: Path, database: Database, assessor: Assessor
) -> Iterator[Callable[[str], TestClient]]:
    """Gives the browser of somebody who is signed in with a role."""
    key = SecretStr("a-key-that-is-long-enough")
    app = create_app(Settings(var_dir=tmp_path, database_url=database_url, api_key=key), assessor=assessor)

    def open_browser(role: str) -> TestClient:
        cookie = secrets.token_urlsafe(32)
        with database.writing() as session:
            person = PersonRow(email=f"{role}@example.com", name="Jo", role=role, teams=[], created_at=now())
            session.add(person)
            session.flush()
            seen = {"created_at": now(), "seen_at": now(), "expires_at": now() + timedelta(hours=1)}
            session.add(SessionRow(token_sha256=digest_secret(cookie), person_id=person.id, form_token=cookie, **seen))
            session.commit()
        return TestClient(app, cookies={COOKIE: cookie}, follow_redirects=False)

    with TestClient(app):
        yield open_browser
