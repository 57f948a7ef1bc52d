"""What people do and are refused stands in the audit log, by their id, and never what they typed."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from serving.audit.chain import find_entries, verify_chain
from serving.people.lockout import FREE_FAILURES
from serving.store import Database

Add = Callable[..., int]
SignIn = Callable[..., TestClient]


def told(database: Database) -> list[tuple[str, str, str, str]]:
    with database.reading() as session:
        verify_chain(session)
        return [(row.who, row.act, row.object, row.outcome) for row in find_entries(session)]


def test_failed_sign_ins_and_lockout_are_told(browser: TestClient, add: Add, people_database: Database) -> None:
    person_id = add()
    for _ in range(FREE_FAILURES):
        browser.post("/sign-in", data={"email": "ana@firm.example", "password": "typed in the wrong field"})
    browser.post("/sign-in", data={"email": "typed password", "password": "x"})
    acts = ["sign_in"] * (FREE_FAILURES - 1) + ["lock_out"]
    whose = [("address testclient", act, f"person {person_id}", "denied") for act in acts]
    assert told(people_database) == [*whose, ("address testclient", "sign_in", "nobody", "denied")]


def test_changes_of_people_are_told(sign_in: SignIn, add: Add, people_database: Database) -> None:
    root = add("root", role="admin")
    other, browser = add(), sign_in("root")
    browser.post(f"/people/{other}", data={"role": "manager", "teams": "Secret Team", "owner": ""})
    browser.post(f"/people/{other}/disable")
    browser.post(f"/people/{other}/enable")
    assert told(people_database) == [
        (f"person {root}", "person_change", f"person {other}: role ops to manager, teams", "done"),
        (f"person {root}", "person_disable", f"person {other}", "done"),
        (f"person {root}", "person_enable", f"person {other}", "done"),
    ]


def test_page_of_another_role_is_told(sign_in: SignIn, add: Add, people_database: Database) -> None:
    person_id = add(role="ops")
    assert sign_in().get("/people").status_code == 403
    assert told(people_database) == [(f"person {person_id}", "request", "GET /people", "denied")]


def test_download_is_told(sign_in: SignIn, add: Add, people_database: Database) -> None:
    person_id = add(role="leader")
    assert sign_in().get("/winbacks.csv").status_code == 200
    assert told(people_database) == [(f"person {person_id}", "export", "/winbacks.csv", "done")]
