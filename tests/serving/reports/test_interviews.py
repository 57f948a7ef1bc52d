"""Buyer interviews: the questions, what a form may hold, how a deal is read anew, and the two accounts beside each other."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from lossnlp.deal import Deal, Document
from serving.app import create_app
from serving.errors import UnknownIdError
from serving.intake import Assessor, Intake
from serving.people.access import FORM_HEADER
from serving.reports import interview_pages
from serving.reports.interview_accounts import compare
from serving.reports.interview_answers import Answers, InterviewError, documents_of, parse_answers
from serving.reports.interview_questions import get_question_set, questions_as_csv
from serving.reports.interviews import Interviews, find_interview
from serving.review.texts import Texts
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import AssessmentRow, InterviewRow, LossRow, PersonRow
from tests.serving.reports.winback_world import TAXONOMY, TODAY, TOKEN, Losses, browser, in_days

ASKED = get_question_set()
NOTE = Document(id="n", kind="rep_note", text="the price was it")
ANSWER = "your legal terms, then Rostera"
FindDocuments = Callable[[str], Texts]


class ListeningAssessor:
    """Hands deals on to an assessor, all their words as one text, and remembers which documents it was given."""

    model_version = "keywords-1"

    def __init__(self, inner: Assessor) -> None:
        self._inner = inner
        self.given: list[tuple[Document, ...]] = []

    @property
    def taxonomy(self) -> Any:
        return self._inner.taxonomy

    def assess(self, deal: Deal, /) -> Any:
        self.given.append(deal.documents)
        words = "\n".join(turn.text for one in deal.documents for turn in one.turns or () if turn.role == "buyer")
        texts = "\n".join(one.text for one in deal.documents if one.text)
        document = Document(id=deal.documents[0].id, kind="rep_note", text=f"{texts}\n{words}".strip())
        return self._inner.assess(deal.model_copy(update={"documents": (document,)}))


@pytest.fixture
def listening(assessor: Assessor) -> ListeningAssessor:
    return ListeningAssessor(assessor)


@pytest.fixture
def interviews(intake: Intake, listening: ListeningAssessor) -> Interviews:
    """Interviews of one lost deal `a`, entered by person 1."""
    add_deal(intake.database, listening)
    return Interviews(Intake(listening, intake.database, intake.metrics, crm="demo"), ASKED)


def add_deal(database: Database, assessor: Assessor, **changes: Any) -> None:
    Losses(database, assessor).add("a", **changes)
    with database.writing() as session:
        session.add(PersonRow(id=1, email="v@example.com", name="Vera", role="ops", teams=[], created_at=now()))
        session.commit()


def kinds(documents: Sequence[Document]) -> list[str]:
    return [document.kind for document in documents]


def parsed(**form: str) -> Answers:
    return parse_answers(form, ASKED, today=TODAY)


# The questions


def test_questions_cover_every_cause_and_element() -> None:
    asked = [*ASKED.marks, *ASKED.questions]
    reasons, elements = ({code for one in asked for code in getattr(one, name)} for name in ("reasons", "elements"))
    assert reasons == set(TAXONOMY.codes) - {"administrative", "unknown"}
    assert elements == set(TAXONOMY.element_codes)


def test_question_ids_stand_once() -> None:
    ids = [one.id for one in (*ASKED.marks, *ASKED.questions)]
    assert len(set(ids)) == len(ids) == 16


def test_exported_table_holds_all_questions() -> None:
    rows = list(csv.DictReader(io.StringIO(questions_as_csv(ASKED))))
    assert [row["id"] for row in rows] == [one.id for one in (*ASKED.marks, *ASKED.questions)]
    assert {row["version"] for row in rows} == {ASKED.version}


# The form


def test_empty_fields_are_no_answers() -> None:
    answers = parsed(m_value="2", m_fit="", q_fit=" it\r\nfits ", q_value="  ", held_on="2026-10-01")
    assert (answers.marks, answers.words) == ({"m_value": 2}, {"q_fit": "it\nfits"})
    assert answers.held_on == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "pasted"),
        ({"m_value": "6"}, "m_value"),
        ({"m_value": "x"}, "m_value"),
        ({"q_fit": "a" * 20_001}, "q_fit"),
        ({"q_fit": "a", "held_on": "soon"}, "held_on"),
        ({"q_fit": "a", "held_on": str(in_days(1))}, "held_on"),
    ],
)
def test_wrong_answer_names_its_field(form: dict[str, str], field: str) -> None:
    with pytest.raises(InterviewError) as told:
        parsed(**form)
    assert told.value.field == field


def test_answers_become_turns_of_the_buyer() -> None:
    (document,) = documents_of(parsed(q_fit="it fits", m_value="2", held_on="2026-10-01"), ASKED)
    assert (document.id, document.kind, document.recorded_at) == (
        "buyer-interview-2026-10-01",
        "buyer_interview",
        date(2026, 10, 1),
    )
    assert [(turn.role, turn.text) for turn in document.turns or ()][1:] == [("buyer", "it fits")]


def test_pasted_talk_is_a_document_beside() -> None:
    found = documents_of(parsed(q_fit="it fits", pasted="Buyer: hello"), ASKED)
    assert found[1].id == f"{found[0].id}-pasted"


def test_interviews_without_a_day_stand_apart() -> None:
    one, other = (documents_of(parsed(q_fit=said), ASKED)[0] for said in ("it fits", "it does not"))
    assert one.id != other.id
    assert one.id == documents_of(parsed(q_fit="it fits", m_value="2"), ASKED)[0].id


# Reading


def test_interview_is_read_with_other_documents(interviews: Interviews, listening: ListeningAssessor) -> None:
    kept = interviews.take("a", parsed(q_value=ANSWER), person_id=1, others=[NOTE])
    assert kinds(listening.given[-1]) == ["rep_note", "buyer_interview"]
    with interviews.intake.database.reading() as session:
        assert session.get_one(LossRow, "a").assessment_id == kept.assessment_id
        assert session.get_one(AssessmentRow, kept.assessment_id).write_back is not None


def test_each_account_is_read_alone(interviews: Interviews, listening: ListeningAssessor) -> None:
    kept = interviews.take("a", parsed(q_value=ANSWER), person_id=1, others=[NOTE])
    assert kept.reasons == {"note": ["price"], "interview": ["procurement_legal", "competitor"]}
    assert [kinds(given) for given in listening.given[-3:-1]] == [["buyer_interview"], ["rep_note"]]


def test_earlier_reading_stands_in_for_the_note(interviews: Interviews) -> None:
    kept = interviews.take("a", parsed(q_value=ANSWER), person_id=1)
    assert kept.reasons["earlier"] == ["price"]
    again = interviews.take("a", parsed(q_value="the timing"), person_id=1)
    assert again.reasons["earlier"] == ["price"]


def test_corrected_interview_replaces_the_old(interviews: Interviews, listening: ListeningAssessor) -> None:
    (old,) = documents_of(parsed(q_value="the budget", held_on="2026-10-01"), ASKED)
    kept = interviews.take("a", parsed(q_value=ANSWER, held_on="2026-10-01"), person_id=1, others=[NOTE, old])
    assert kept.reasons["interview"] == ["procurement_legal", "competitor"]
    assert len(listening.given[-1]) == 2


def test_same_interview_is_kept_once(interviews: Interviews) -> None:
    for mark in "12":
        interviews.take("a", parsed(q_value=ANSWER, m_value=mark), person_id=1, others=[NOTE])
    with interviews.intake.database.reading() as session:
        (kept,) = session.scalars(select(InterviewRow)).all()
    assert kept.marks == {"m_value": 2}


def test_marks_alone_read_nothing(interviews: Interviews, listening: ListeningAssessor) -> None:
    before = len(listening.given)
    kept = interviews.take("a", parsed(m_value="2"), person_id=1)
    assert (kept.assessment_id, kept.reasons, len(listening.given)) == (None, {}, before)


def test_words_of_an_interview_are_not_kept(interviews: Interviews) -> None:
    interviews.take("a", parsed(q_value="we liked Dana's legal mind", m_value="4"), person_id=1)
    with interviews.intake.database.reading() as session:
        kept = find_interview(session, "a")
        assert kept is not None
        assert "Dana" not in f"{kept.marks} {kept.reasons}"


def test_unknown_deal_takes_no_interview(interviews: Interviews) -> None:
    with pytest.raises(UnknownIdError):
        interviews.take("b", parsed(q_value=ANSWER), person_id=1)


# Two accounts


@pytest.mark.parametrize(
    ("note", "interview", "said"),
    [
        (["price"], ["price", "timing"], "Both accounts put the same first: Price."),
        (["price"], ["timing", "price"], "the buyer puts Timing first"),
        (["price"], ["timing"], "Our account puts Price first, the buyer puts Timing first."),
        (["price"], ["unknown"], "The interview names no cause"),
        (["unknown"], ["price"], "Our account names no cause"),
    ],
)
def test_difference_is_told_plainly(note: list[str], interview: list[str], said: str) -> None:
    found = compare({"note": note, "interview": interview}, TAXONOMY)
    assert found is not None
    assert said in found.summary


def test_accounts_are_set_beside_each_other() -> None:
    found = compare({"earlier": ["price", "timing"], "interview": ["timing", "budget"]}, TAXONOMY)
    assert found is not None
    assert (found.both, found.only_ours, found.only_buyers) == (("Timing",), ("Price",), ("Budget",))
    assert not found.is_note


def test_one_account_is_not_compared() -> None:
    assert compare({"interview": ["price"]}, TAXONOMY) is None


# Pages


@pytest.fixture
def texts() -> dict[str, Texts]:
    """What the installation finds of the deal's documents; a test may change it."""
    return {"found": Texts("crm", (NOTE,))}


@pytest.fixture
def app(settings: Settings, listening: ListeningAssessor, texts: dict[str, Texts]) -> Iterator[FastAPI]:
    made = create_app(settings, assessor=listening)
    made.dependency_overrides[interview_pages.find_texts_of] = lambda: lambda _assessment_id: texts["found"]
    with TestClient(made):
        add_deal(made.state.database, listening, team="North", owner="Riley")
        yield made


@pytest.fixture
def ops(app: FastAPI) -> TestClient:
    return browser(app, interview_pages.router, role="ops")


def test_questions_are_given_out(ops: TestClient) -> None:
    assert ops.get("/interviews/questions.json").json()["mark_values"] == [1, 2, 3, 4, 5]
    assert ops.get("/interviews/questions.csv").text.count("\n") == 17
    assert ASKED.questions[0].text in ops.get("/interviews/questions").text


def test_entered_interview_leads_to_its_accounts(ops: TestClient) -> None:
    answer = ops.post("/interviews/a", data={"q_value": ANSWER, "m_value": "2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/interviews/a#accounts")
    page = ops.get("/interviews/a").text
    assert "Our account puts Price first" in page
    assert "The rep's note" in page
    assert len(page) < 300_000


def test_wrong_field_loses_nothing(ops: TestClient) -> None:
    answer = ops.post("/interviews/a", data={"q_value": "keep <this>", "m_fit": "3", "held_on": "soon"})
    assert answer.status_code == 422
    assert "keep &lt;this&gt;" in answer.text
    assert 'id="held_on-fault"' in answer.text
    assert "checked" in answer.text


def test_interview_alone_is_asked_for_first(ops: TestClient, app: FastAPI, texts: dict[str, Texts]) -> None:
    texts["found"] = Texts("none", why="The CRM does not answer at the moment.")
    form = {"q_value": ANSWER}
    answer = ops.post("/interviews/a", data=form)
    assert answer.status_code == 422
    assert "does not answer" in answer.text
    assert ANSWER in answer.text
    assert ops.post("/interviews/a", data={**form, "alone": "yes"}).status_code == 303
    with app.state.database.reading() as session:
        assert len(session.scalars(select(InterviewRow)).all()) == 1


def test_rep_sees_but_enters_nothing(app: FastAPI) -> None:
    rep = browser(app, interview_pages.router, role="rep", owner="Riley")
    assert "<form method" not in rep.get("/interviews/a").text.partition("<main")[2]
    assert rep.post("/interviews/a", data={"q_value": ANSWER}).status_code == 403


def test_unseen_deal_is_not_found(app: FastAPI) -> None:
    other = browser(app, interview_pages.router, role="manager", teams=("South",))
    assert other.get("/interviews/a").status_code == 404
    assert other.post("/interviews/a", data={"q_value": ANSWER}).status_code == 404


def test_form_without_token_is_refused(ops: TestClient) -> None:
    answer = ops.post("/interviews/a", data={"q_value": ANSWER}, headers={FORM_HEADER: "another"})
    assert answer.status_code == 403


def test_token_may_come_in_the_form(ops: TestClient) -> None:
    form = {"q_value": ANSWER, "form_token": TOKEN}
    assert ops.post("/interviews/a", data=form, headers={FORM_HEADER: ""}).status_code == 303


def test_long_transcript_is_taken(ops: TestClient) -> None:
    words = "Käufer: die Vertragsbedingungen, legal, passten nicht.\r\n" * 2_500
    assert ops.post("/interviews/a", data={"pasted": words}).status_code == 303


def test_other_kind_of_body_is_refused(ops: TestClient) -> None:
    assert ops.post("/interviews/a", json={"q_value": ANSWER}).status_code == 415
