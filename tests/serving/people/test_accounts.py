"""Accounts: what makes a good one, and who may not be lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from serving.people.accounts import (
    Access,
    NewPerson,
    add_person,
    change_access,
    disable_person,
    enable_person,
    get_person,
)
from serving.people.passwords import AccountError, hash_password, is_outdated, is_right_password
from serving.store import Database, now
from serving.tables import PersonRow

GOOD = NewPerson("ana@firm.example", "Ana", Access("manager", ("EMEA",), "005A"), "four plain words here")
Add = Callable[..., int]


def make(database: Database, new: NewPerson) -> PersonRow:
    with database.writing() as session:
        row = add_person(session, new, at=now())
        session.commit()
    return row


def test_account_keeps_what_was_given(people_database: Database) -> None:
    row = make(people_database, replace(GOOD, email=" Ana@Firm.example"))
    assert (row.email, row.name, row.role, row.teams, row.owner) == (
        "ana@firm.example",
        "Ana",
        "manager",
        ["EMEA"],
        "005A",
    )


def test_password_is_kept_as_argon2id(people_database: Database) -> None:
    stored = make(people_database, GOOD).password_hash or ""
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not is_outdated(stored)


def test_weaker_hash_is_outdated() -> None:
    assert is_outdated("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$UqQ2TGQmMGE+dGZ1Wrg7vQ")


def test_composed_characters_are_the_same_password() -> None:
    assert is_right_password("vier Wörter für Anna", hash_password("vier Wo\u0308rter fu\u0308r Anna"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "ana"}, "email"),
        ({"email": "a na@firm.example"}, "email"),
        ({"email": "ana\x00@firm.example"}, "email"),
        ({"email": "a" * 250 + "@b.example"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "A\nna"}, "name"),
        ({"name": "A" * 101}, "name"),
        ({"password": "too short"}, "password"),
        ({"password": "a" * 201}, "password"),
        ({"password": "abababababababab"}, "password"),
        ({"email": "anabel@firm.example", "password": "Anabel is my name"}, "password"),
        ({"access": Access("boss")}, "role"),  # type: ignore[arg-type]
        ({"access": Access("rep", ("\x00",))}, "teams"),
        ({"access": Access("rep", tuple(map(str, range(51))))}, "teams"),
        ({"access": Access("rep", (), "o" * 301)}, "owner"),
    ],
)
def test_unusable_field_is_named(people_database: Database, changes: dict[str, object], field: str) -> None:
    with pytest.raises(AccountError) as refused:
        make(people_database, replace(GOOD, **changes))  # type: ignore[arg-type]
    assert refused.value.field == field


def test_email_has_one_account(people_database: Database) -> None:
    make(people_database, GOOD)
    with pytest.raises(AccountError, match="account with this e-mail"):
        make(people_database, replace(GOOD, email="ANA@firm.example"))


def test_only_admin_can_neither_leave_nor_change(add: Add, people_database: Database) -> None:
    person_id = add(role="admin")
    with people_database.writing() as session:
        person = get_person(session, person_id)
        with pytest.raises(AccountError, match="only admin"):
            disable_person(session, person, at=now())
        with pytest.raises(AccountError, match="only admin"):
            change_access(session, person, Access("ops"))


def test_one_of_two_admins_may_leave(add: Add, people_database: Database) -> None:
    first, second = add(role="admin"), add("ben", role="admin")
    with people_database.writing() as session:
        disable_person(session, get_person(session, first), at=now())
        session.flush()
        with pytest.raises(AccountError, match="only admin"):
            disable_person(session, get_person(session, second), at=now())


def test_disabled_person_can_come_back(add: Add, people_database: Database) -> None:
    person_id = add()
    with people_database.writing() as session:
        person = get_person(session, person_id)
        disable_person(session, person, at=now())
        enable_person(person)
        assert person.disabled_at is None
