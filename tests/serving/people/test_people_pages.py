"""The pages of people: for admins alone, and careful with what was typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from serving.people.access import FORM_HEADER
from serving.store import Database
from serving.tables import PersonRow

Add = Callable[..., int]
SignIn = Callable[..., TestClient]
NEW = {"email": "ben@firm.example", "name": "Ben", "role": "manager", "teams": "EMEA, DACH", "owner": ""}


def person(database: Database, name: str) -> PersonRow:
    with database.reading() as session:
        return session.query(PersonRow).filter_by(email=f"{name}@firm.example").one()


@pytest.fixture
def admin(sign_in: SignIn, add: Add) -> TestClient:
    add("root", role="admin")
    return sign_in("root")


@pytest.mark.parametrize(
    ("role", "opened"),
    [
        ("rep", set()),
        ("manager", {"/for-manager"}),
        ("ops", {"/for-ops"}),
        ("leader", {"/for-leader"}),
        ("admin", {"/for-ops", "/for-manager", "/for-leader", "/people"}),
    ],
)
def test_role_opens_its_own_pages(sign_in: SignIn, add: Add, role: str, opened: set[str]) -> None:
    add(role=role)
    browser = sign_in()
    paths = ("/for-ops", "/for-manager", "/for-leader", "/people")
    assert {path for path in paths if browser.get(path).status_code == 200} == opened
    assert {browser.get(path).status_code for path in paths} <= {200, 403}


@pytest.mark.parametrize("path", ["/people", "/people/1", "/people/1/disable", "/people/1/enable"])
def test_others_change_nobody(sign_in: SignIn, add: Add, people_database: Database, path: str) -> None:
    add(role="ops")
    assert sign_in().post(path, data={**NEW, "role": "admin"}).status_code == 403
    assert person(people_database, "ana").role == "ops"


@pytest.mark.parametrize("path", ["/people", "/people/1", "/people/1/disable", "/people/1/enable"])
def test_change_needs_the_form_token(admin: TestClient, path: str) -> None:
    assert admin.post(path, data=NEW, headers={FORM_HEADER: "another"}).status_code == 403


def test_added_person_is_listed(admin: TestClient, people_database: Database) -> None:
    answer = admin.post("/people", data={**NEW, "password": "four plain words here"})
    assert answer.status_code == 303
    assert "Saved: Ben, manager." in admin.get(answer.headers["location"]).text
    assert person(people_database, "ben").teams == ["EMEA", "DACH"]


def test_empty_password_makes_an_account_without(admin: TestClient, people_database: Database) -> None:
    admin.post("/people", data={**NEW, "password": ""})
    assert person(people_database, "ben").password_hash is None


def test_wrong_input_is_told_at_its_field(admin: TestClient) -> None:
    answer = admin.post("/people", data={**NEW, "password": "too short"})
    assert answer.status_code == 422
    assert 'id="fault-password" role="alert"' in answer.text
    assert 'value="EMEA, DACH"' in answer.text
    assert "too short" not in answer.text


def test_new_role_signs_the_person_out(
    admin: TestClient, add: Add, open_browser: Callable[..., TestClient], people_database: Database
) -> None:
    person_id = add()
    other = open_browser()
    other.post("/sign-in", data={"email": "ana@firm.example", "password": "four plain words here"})
    assert other.get("/for-ops").status_code == 200
    assert admin.post(f"/people/{person_id}", data={"role": "leader", "teams": "", "owner": ""}).status_code == 303
    assert other.get("/for-leader").status_code == 303
    assert person(people_database, "ana").role == "leader"


def test_new_teams_keep_the_session(admin: TestClient, add: Add, open_browser: Callable[..., TestClient]) -> None:
    person_id = add(role="manager")
    other = open_browser()
    other.post("/sign-in", data={"email": "ana@firm.example", "password": "four plain words here"})
    admin.post(f"/people/{person_id}", data={"role": "manager", "teams": "APAC", "owner": ""})
    assert other.get("/for-manager").status_code == 200


def test_person_is_disabled_and_enabled(admin: TestClient, add: Add, people_database: Database) -> None:
    person_id = add()
    admin.post(f"/people/{person_id}/disable")
    assert person(people_database, "ana").disabled_at is not None
    assert "cannot sign in" in admin.get(f"/people/{person_id}").text
    admin.post(f"/people/{person_id}/enable")
    assert person(people_database, "ana").disabled_at is None


def test_only_admin_reads_why_not(admin: TestClient, people_database: Database) -> None:
    root = person(people_database, "root").id
    answers = [admin.post(f"/people/{root}/disable"), admin.post(f"/people/{root}", data={"role": "rep"})]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("This is the only admin" in answer.text for answer in answers)
    assert person(people_database, "root").role == "admin"


def test_change_is_logged_without_names(admin: TestClient, add: Add) -> None:
    person_id = add()
    with capture_logs() as logged:
        admin.post(f"/people/{person_id}", data={"role": "manager", "teams": "Secret Team", "owner": ""})
    [entry] = [line for line in logged if line["event"] == "person_changed"]
    assert (entry["person_id"], entry["by"], entry["before"], entry["after"]) == (person_id, 1, "ops", "manager")
    assert "Secret" not in str(logged)


def test_name_is_shown_as_text(admin: TestClient) -> None:
    admin.post("/people", data={**NEW, "name": "<b>Ben</b>"})
    assert "<b>Ben" not in admin.get("/people").text


def test_unknown_person_is_not_found(admin: TestClient) -> None:
    assert admin.get("/people/999").status_code == 404


def test_form_without_script_is_taken(admin: TestClient, people_database: Database) -> None:
    pytest.importorskip("python_multipart")
    token = admin.headers.pop(FORM_HEADER)
    assert admin.post("/people", data={**NEW, "form_token": token}).status_code == 303
    assert person(people_database, "ben").role == "manager"
