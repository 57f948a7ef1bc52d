"""Deals that were read with the first list of reasons, a change of it, and the model that serves with the second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.review.said import Said
from serving.review.verdict import VerdictLabels
from serving.review.verdicts import Bench
from serving.store import Database, now
from serving.tables import AssessmentRow, PersonRow, VerdictRow
from serving.taxonomy_change.applying import Batches
from serving.taxonomy_change.changes import NewList, read_new_list
from tests.serving.taxonomy_change.change_world import CHANGE, DEALS, Give


@pytest.fixture
def change_file(tmp_path: Path) -> Path:
    file = tmp_path / "change.yaml"
    file.write_text(CHANGE)
    return file


@pytest.fixture
def new(change_file: Path) -> NewList:
    return read_new_list(change_file, get_default_taxonomy())


@pytest.fixture
def old(assessor: Any, database: Database) -> Intake:
    """An intake that has read the deals with the first list."""
    intake = Intake(assessor, database, Metrics())
    for deal_id, text in DEALS.items():
        intake.take_deal(parse_deal({"id": deal_id, "text": text, "closed_at": "2026-11-05"}))
    return intake


@pytest.fixture
def batches(old: Intake, new: NewList) -> Batches:
    """With the second list in service."""
    return Batches(old.database, new.taxonomy)


@pytest.fixture
def give(database: Database) -> Give:
    """Gives a verdict of Ana's on a deal, by the bench of a list."""

    def judge(deal_id: str, taxonomy: Taxonomy, *reasons: str) -> VerdictRow:
        labels = VerdictLabels(reasons=reasons) if reasons else None
        with database.writing() as session:
            query = select(PersonRow).where(PersonRow.email == "ana@example.com")
            person = session.scalar(query) or PersonRow(
                email="ana@example.com", name="Ana", role="ops", created_at=now()
            )
            session.add(person)
            session.flush()
            row = session.scalars(select(AssessmentRow).where(AssessmentRow.deal_id == deal_id)).one()
            said = Said("change", labels) if labels else Said("accept")
            verdict = Bench(taxonomy).give(session, row.id, person, said)
            session.commit()
            return verdict

    return judge
