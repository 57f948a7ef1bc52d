"""Failures in a row make the sign-in wait, without telling who has an account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from serving.people.accounts import disable_person, get_person, set_password
from serving.people.lockout import Offered, SignInRefusedError, pause_after, sign_in_with_password
from serving.store import Database
from serving.tables import PersonRow

PHRASE = "four plain words here"
EMAIL = "ana@firm.example"
Add = Callable[..., int]


@pytest.fixture
def offer(people_database: Database, clock: Callable[[], datetime]) -> Callable[..., str | None]:
    """Offers a password; gives the new cookie, None where it is refused."""

    def once(password: str = PHRASE, email: str = EMAIL) -> str | None:
        try:
            return sign_in_with_password(people_database, Offered(email, password), clock=clock)
        except SignInRefusedError:
            return None

    return once


def failures(database: Database) -> int:
    with database.reading() as session:
        return session.query(PersonRow).one().failures


def test_pauses_double_up_to_an_hour() -> None:
    minutes = [pause and pause // timedelta(minutes=1) for pause in map(pause_after, range(13))]
    assert minutes == [None, None, None, None, None, 1, 2, 4, 8, 16, 32, 60, 60]


def test_right_password_waits_for_the_pause(add: Add, offer: Any, clock: Any) -> None:
    add()
    assert [offer("wrong") for _ in range(5)] == [None] * 5
    clock.move(59)
    assert offer() is None
    clock.move(1)
    assert offer() is not None


def test_four_failures_make_nobody_wait(add: Add, offer: Any) -> None:
    add()
    assert [offer("wrong") for _ in range(4)] == [None] * 4
    assert offer() is not None


def test_failure_after_pause_doubles_it(add: Add, offer: Any, clock: Any) -> None:
    add()
    for _ in range(5):
        offer("wrong")
    clock.move(60)
    offer("wrong")
    clock.move(119)
    assert offer() is None
    clock.move(1)
    assert offer() is not None


def test_success_clears_the_count(add: Add, offer: Any, people_database: Database) -> None:
    add()
    offer("wrong")
    assert failures(people_database) == 1
    offer()
    assert failures(people_database) == 0


def test_tries_in_a_pause_do_not_lengthen_it(add: Add, offer: Any, people_database: Database) -> None:
    add()
    for _ in range(8):
        offer("wrong")
    assert failures(people_database) == 5


def test_unknown_email_counts_for_nobody(add: Add, offer: Any, people_database: Database) -> None:
    add()
    assert [offer(email="nobody@firm.example") for _ in range(6)] == [None] * 6
    assert failures(people_database) == 0
    assert offer() is not None


def test_refusal_before_any_account_exists(offer: Any) -> None:
    assert offer() is None


def test_refusals_say_the_same(add: Add, people_database: Database) -> None:
    add()
    said = set()
    for email, password in (
        (EMAIL, "wrong"),
        ("nobody@firm.example", PHRASE),
        *[(EMAIL, "wrong")] * 5,
        (EMAIL, PHRASE),
    ):
        with pytest.raises(SignInRefusedError) as refused:
            sign_in_with_password(people_database, Offered(email, password))
        said.add(refused.value.message)
    assert len(said) == 1


def test_disabled_person_is_refused(add: Add, offer: Any, people_database: Database, clock: Any) -> None:
    person_id = add()
    with people_database.writing() as session:
        disable_person(session, get_person(session, person_id), at=clock())
        session.commit()
    assert offer() is None


def test_person_without_password_is_refused(add: Add, offer: Any) -> None:
    add(password=None)
    assert offer("") is None
    assert offer() is None


def test_new_password_lifts_the_pause(add: Add, offer: Any, people_database: Database) -> None:
    person_id = add()
    for _ in range(5):
        offer("wrong")
    with people_database.writing() as session:
        set_password(session, get_person(session, person_id), "other plain words here")
        session.commit()
    assert offer("other plain words here") is not None


def test_offered_password_is_never_shown() -> None:
    assert PHRASE not in repr(Offered(EMAIL, PHRASE))
