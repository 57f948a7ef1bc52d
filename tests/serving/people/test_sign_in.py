"""The sign-in form: who gets in, where it leads, and what a browser holds afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.people.access import COOKIE, FORM_HEADER
from serving.people.accounts import disable_person, get_person, set_password
from serving.people.forms import local_path
from serving.secret_values import digest_secret
from serving.store import Database, now
from serving.tables import SessionRow

PHRASE = "four plain words here"
ANA = {"email": "ana@firm.example", "password": PHRASE}
Add = Callable[..., int]
SignIn = Callable[..., TestClient]
Open = Callable[..., TestClient]


def sessions(database: Database) -> list[SessionRow]:
    with database.reading() as session:
        return session.query(SessionRow).all()


def age(database: Database, **columns: timedelta) -> None:
    with database.writing() as session:
        for row in session.query(SessionRow):
            for column, by in columns.items():
                setattr(row, column, getattr(row, column) - by)
        session.commit()


def test_password_opens_session_with_safe_cookie(browser: TestClient, add: Add) -> None:
    add()
    answer = browser.post("/sign-in", data={**ANA, "email": " Ana@Firm.Example "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/losses")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in (f"{COOKIE}=", "HttpOnly", "SameSite=lax", "Secure", "Path=/"))


def test_development_cookie_travels_without_https(
    open_app: Callable[..., FastAPI], open_browser: Open, add: Add
) -> None:
    add()
    browser = open_browser(open_app(env="development"), "http://testserver")
    assert "Secure" not in browser.post("/sign-in", data=ANA).headers["set-cookie"]


def test_cookie_itself_is_stored_nowhere(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    token = sign_in().cookies[COOKIE]
    assert [row.token_sha256 for row in sessions(people_database)] == [digest_secret(token)]
    assert len(token) >= 43


@pytest.mark.parametrize("tried", [{**ANA, "password": "wrong"}, {**ANA, "email": "nobody@firm.example"}, {}])
def test_refusals_are_told_alike(browser: TestClient, add: Add, tried: dict[str, str]) -> None:
    add()
    answer = browser.post("/sign-in", data=tried)
    assert answer.status_code == 422
    assert COOKIE not in answer.headers.get("set-cookie", "")
    [said] = re.findall(r'role="alert">([^<]+)<', answer.text)
    assert said.startswith("This e-mail and password do not fit together")


def test_refused_form_keeps_email_not_password(browser: TestClient, add: Add) -> None:
    add()
    answer = browser.post("/sign-in", data={**ANA, "password": "something else", "next": "/losses?team=EMEA"})
    assert 'value="ana@firm.example"' in answer.text
    assert 'value="/losses?team=EMEA"' in answer.text
    assert "something else" not in answer.text


@pytest.mark.parametrize("path", ["/losses", "/losses?team=EMEA&page=2", "/deals/D 17"])
def test_local_path_is_kept(path: str) -> None:
    assert local_path(path, otherwise="/else") == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "losses",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "\\/e",
    ],
)
def test_path_elsewhere_is_not_followed(browser: TestClient, add: Add, path: str) -> None:
    add()
    assert local_path(path, otherwise="/else") == "/else"
    assert browser.post("/sign-in", data={**ANA, "next": path}).headers["location"] == "/losses"


def test_planted_session_is_never_taken_over(sign_in: SignIn, add: Add) -> None:
    add("ben")
    add()
    planted = sign_in("ben").cookies[COOKIE]
    browser = sign_in("ana")
    assert browser.cookies[COOKIE] != planted
    browser.cookies.clear()
    assert browser.get("/for-ops", headers={"Cookie": f"{COOKIE}={planted}"}).status_code == 303


def test_made_up_cookie_is_never_taken_over(browser: TestClient, add: Add) -> None:
    add()
    browser.post("/sign-in", data=ANA, headers={"Cookie": f"{COOKIE}=made-up"})
    browser.cookies.clear()
    assert browser.get("/for-ops", headers={"Cookie": f"{COOKIE}=made-up"}).status_code == 303


def test_second_sign_in_ends_first_session(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    first = sign_in().cookies[COOKIE]
    second = sign_in().cookies[COOKIE]
    assert first != second
    assert [row.token_sha256 for row in sessions(people_database)] == [digest_secret(second)]


def test_idle_session_ends(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    browser = sign_in()
    age(people_database, seen_at=timedelta(hours=8), expires_at=timedelta(hours=8))
    assert browser.get("/for-ops").status_code == 303


def test_use_moves_the_idle_end_on(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    browser = sign_in()
    age(people_database, seen_at=timedelta(hours=7), expires_at=timedelta(hours=7))
    assert browser.get("/for-ops").status_code == 200
    assert sessions(people_database)[0].expires_at > now() + timedelta(hours=7)


def test_use_never_moves_the_absolute_end(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    browser = sign_in()
    age(
        people_database,
        created_at=timedelta(days=7, minutes=-1),
        seen_at=timedelta(hours=1),
        expires_at=timedelta(hours=7),
    )
    assert browser.get("/for-ops").status_code == 200
    assert sessions(people_database)[0].expires_at < now() + timedelta(minutes=1)


def test_expired_sessions_are_swept(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    add("ben")
    sign_in().cookies.clear()
    age(people_database, expires_at=timedelta(days=8))
    sign_in("ben")
    assert len(sessions(people_database)) == 1


@pytest.mark.parametrize("has_new_password", [True, False])
def test_changed_person_is_signed_out(
    sign_in: SignIn, add: Add, people_database: Database, has_new_password: bool
) -> None:
    person_id = add()
    browser = sign_in()
    with people_database.writing() as session:
        person = get_person(session, person_id)
        if has_new_password:
            set_password(session, person, "other plain words here")
        else:
            disable_person(session, person, at=now())
        session.commit()
    assert browser.get("/for-ops").status_code == 303
    assert browser.post("/sign-in", data=ANA).status_code == 422


def test_sign_out_closes_the_session(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    browser = sign_in()
    answer = browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert sessions(people_database) == []
    assert browser.get("/for-ops").status_code == 303


def test_sign_out_needs_the_form_token(sign_in: SignIn, add: Add, people_database: Database) -> None:
    add()
    browser = sign_in()
    assert browser.post("/sign-out", headers={FORM_HEADER: "another"}).status_code == 403
    assert len(sessions(people_database)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://testserver"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_form_of_another_site_is_refused(browser: TestClient, add: Add, headers: dict[str, str]) -> None:
    add()
    answer = browser.post("/sign-in", data=ANA, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://testserver"}])
def test_form_of_own_page_is_taken(browser: TestClient, add: Add, headers: dict[str, str]) -> None:
    add()
    assert browser.post("/sign-in", data=ANA, headers=headers).status_code == 303


def test_huge_form_is_refused_unread(browser: TestClient) -> None:
    assert browser.post("/sign-in", data={"email": "a" * 70_000}).status_code == 413


def test_page_sends_stranger_to_the_form(browser: TestClient) -> None:
    answer = browser.get("/for-ops?team=EMEA")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Ffor-ops%3Fteam%3DEMEA")


def test_part_sends_stranger_back_to_its_page(browser: TestClient) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "https://testserver/losses?team=EMEA"}
    answer = browser.get("/for-ops", headers=asked)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=%2Flosses%3Fteam%3DEMEA")


def test_signed_in_person_skips_the_form(sign_in: SignIn, add: Add) -> None:
    add()
    assert sign_in().get("/sign-in?next=/for-ops").headers["location"] == "/for-ops"


def test_first_account_is_explained_in_development(
    open_app: Callable[..., FastAPI], open_browser: Open, add: Add
) -> None:
    browser = open_browser(open_app(env="development"))
    assert "lossnlp-serve people create" in browser.get("/sign-in").text
    add()
    assert "people create" not in browser.get("/sign-in").text


def test_empty_production_tells_nothing(browser: TestClient) -> None:
    assert "people create" not in browser.get("/sign-in").text
