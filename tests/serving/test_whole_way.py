"""One deal's way through the whole house, with the model that ships."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from fastapi.testclient import TestClient

from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.crm.protocol import fetch_all_lost
from serving.model.loading import load_assessor
from serving.settings import Settings
from serving.store import Database
from serving.worker import Worker

KEY = "test-key-that-is-long-enough"


@pytest.fixture
def service(settings: Settings, classifier: LossClassifier) -> Iterator[TestClient]:
    with TestClient(create_app(settings, assessor=classifier), headers={"Authorization": f"Bearer {KEY}"}) as opened:
        yield opened


def test_lost_deal_reaches_the_crm(service: TestClient, settings: Settings, crm: DemoCrm) -> None:
    [deal] = [deal for deal in fetch_all_lost(crm) if deal["deal"]["account"] == "Willowbank Care"]
    taken = service.post("/v1/assessments", json=deal).json()
    Worker(Database(settings.database_url), crm).send_due()
    stored = service.get(f"/v1/assessments/{taken['id']}").json()
    fields = crm.fetch_fields([deal["deal"]["id"]])[deal["deal"]["id"]]
    assert taken["reasons"][0]["code"] == "budget"
    assert fields["lossnlp_primary_reason"] == "budget"
    assert fields["lossnlp_winback"] == "closed"
    assert stored["write_back"]["kept"] == {"lossnlp_winback": "closed"}


def test_every_quote_is_an_exact_slice(service: TestClient, crm: DemoCrm) -> None:
    quoted = 0
    for deal in fetch_all_lost(crm):
        answer = service.post("/v1/assessments", json=deal).json()
        documents = {document["id"]: document for document in deal["documents"]}
        for quote in (quote for reason in answer["reasons"] for quote in reason["evidence"]):
            document = documents[quote["document_id"]]
            text = document["text"] if quote["turn"] is None else document["turns"][quote["turn"]]["text"]
            assert text[quote["start"] : quote["end"]] == quote["text"]
            quoted += 1
    assert quoted >= 25


def test_note_without_cause_waits_for_person(service: TestClient) -> None:
    answer = service.post("/v1/assessments", json={"id": "D-1", "text": "see mail"}).json()
    assert answer["flags"]["insufficient_detail"]["value"]
    assert answer["review"]["required"]
    assert "primary_reason" not in answer["accepted"]


def test_settings_reach_the_classifier(settings: Settings) -> None:
    told = {"rivals": ("Quillmere",), "own_names": ("Rostera",), "fiscal_year_starts": 7}
    assessor = load_assessor(settings.model_copy(update=told))
    note = "Quillmere came in 30% lower than Rostera. Call them again when their next fiscal year opens."
    assessment = assessor.assess(Deal.from_request({"id": "D-1", "text": note, "closed_at": "2026-03-20"}))
    assert [rival.name for rival in assessment.competitors] == ["Quillmere"]
    assert assessment.winback.revisit_on == date(2026, 7, 1)


@pytest.mark.parametrize("text", ["😢😢💸", "\x00\x00price\x00", "値段が高すぎた", "a" * 50_000, "ok"])
def test_odd_text_is_answered(service: TestClient, text: str) -> None:
    assert service.post("/v1/assessments", json={"id": "D-1", "text": text}).status_code in (201, 422)
