"""Canaries: what is personal in a deal is looked for in everything that rests once the service has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from lossnlp.assessment import Assessment, Evidence
from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from serving.app import create_app
from serving.review.said import Said, redact_said
from serving.review.verdict import VerdictLabels
from serving.review.verdicts import Bench
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import AssessmentRow, DealRow, PersonRow
from tests.serving.conftest import KEY, KeywordAssessor

PERSONAL = ("Aadhya", "Aloysius", "aadhya.q@canary.example", "+44 20 7946 0958", "4111 1111 1111 1111")
PHRASE = "heliotrope ledger"
NOTE = f"Aadhya Aloysius ({PERSONAL[2]}, {PERSONAL[3]}) paid by {PERSONAL[4]}; the {PHRASE} made it a matter of price."


class QuotingAssessor(KeywordAssessor):
    """Quotes the whole note for the first reason and names whom it speaks of as a speaker."""

    def assess(self, deal: Deal, /) -> Assessment:
        answer = super().assess(deal).model_dump(mode="json")
        whole = {
            "document_id": "note",
            "start": 0,
            "end": len(NOTE),
            "text": NOTE,
            "speaker": "Aadhya Aloysius",
            "role": "rep",
        }
        answer["reasons"][0]["evidence"] = [whole]
        answer["winback"]["revisit_text"] = "Aadhya Aloysius"
        return Assessment.model_validate(answer)


@pytest.fixture
def visited(
    settings: Settings, set_up_logs: Callable[[Settings], None], capfd: pytest.CaptureFixture[str]
) -> Iterator[tuple[TestClient, str, str]]:
    """A service that was asked, asked again, and asked what it cannot answer; with its answer and what it logged."""
    redacting = settings.model_copy(update={"redact": True, "log_level": "debug"})
    set_up_logs(redacting)
    app = create_app(redacting, assessor=QuotingAssessor())
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}, raise_server_exceptions=False) as client:
        first = client.post("/v1/assessments", json={"id": "d-1", "text": NOTE})
        stated = {"deal": {"id": "d-4", "stated_reason": "told by Aadhya Aloysius"}}
        client.post("/v1/assessments", json=stated | {"documents": [{"id": "note", "kind": "rep_note", "text": NOTE}]})
        told = client.post("/v1/assessments", json={"id": "d-2", "text": NOTE + " explode"}).text
        told += client.post("/v1/assessments", json={"id": "d-3", "text": NOTE, "closed_at": NOTE}).text
        told += client.post("/v1/assessments", json={"id": "d-1", "text": NOTE}).text
        told += client.get(f"/v1/assessments/{first.json()['id']}").text + client.get("/metrics").text
        yield client, first.text, told + "".join(capfd.readouterr())


def _rests(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


@pytest.mark.parametrize("canary", PERSONAL)
def test_nothing_personal_rests_or_is_logged(
    visited: tuple[TestClient, str, str], canary: str, settings: Settings
) -> None:
    _, _, told = visited
    assert canary not in told
    assert canary.encode() not in _rests(settings.var_dir)


@pytest.mark.usefixtures("visited")
def test_stated_reason_and_remark_rest_redacted(settings: Settings) -> None:
    database = Database(settings.database_url)
    with database.writing() as session:
        assessment_id = session.scalars(select(AssessmentRow.id).where(AssessmentRow.deal_id == "d-4")).one()
        person = PersonRow(email="ana@example.com", name="Ana", role="ops", created_at=now())
        session.add(person)
        session.flush()
        said = Said("accept", comment="Aadhya Aloysius told me about price")
        verdict = Bench(get_default_taxonomy(), redacts=True).give(session, assessment_id, person, said)
        assert verdict.comment == "[person 1] told me about price"
        assert session.get_one(DealRow, "d-4").stated_reason == "told by [person 1]"
    database.close()


def test_marked_words_rest_redacted_at_their_places() -> None:
    quote = Evidence(document_id="note", start=0, end=20, text="Aadhya Aloysius paid")
    labels = VerdictLabels(reasons=("price",), evidence={"price": (quote,)}, revisit_text="ask Aadhya Aloysius")
    kept = redact_said(Said("change", labels), []).labels
    assert kept is not None
    (found,) = kept.evidence["price"]
    assert (found.text, found.start, found.end) == ("[person 1] paid", 0, 20)
    assert kept.revisit_text == "ask [person 1]"


def test_first_answer_is_verbatim(visited: tuple[TestClient, str, str]) -> None:
    assert PERSONAL[2] in visited[1]


def test_free_phrase_rests_in_quotes_alone(visited: tuple[TestClient, str, str], settings: Settings) -> None:
    assert PHRASE in visited[1]
    rests = _rests(settings.var_dir)
    assert rests.count(PHRASE.encode()) > 0
    assert rests.count(PHRASE.encode()) == rests.count(f"the {PHRASE} made it a matter of price".encode())
