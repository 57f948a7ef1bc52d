"""The commands for people, as they are typed."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from lossnlp.errors import LossNlpError
from serving.people.cli_people import people
from serving.people.passwords import is_right_password
from serving.settings import Settings
from serving.store import Database
from serving.tables import PersonRow

PHRASE = "four plain words here"


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return {"LOSSNLP_VAR_DIR": str(settings.var_dir), "LOSSNLP_PASSWORD": PHRASE}


def say(env: dict[str, str], *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(people, list(words), env=env, input=typed, catch_exceptions=False)


def create(env: dict[str, str], *words: str, typed: str | None = None) -> Result:
    return say(env, "create", "ana@firm.example", "--name", "Ana", "--role", "manager", *words, typed=typed)


def ana(database: Database) -> PersonRow:
    with database.reading() as session:
        return session.query(PersonRow).one()


def test_created_person_is_listed(env: dict[str, str], people_database: Database) -> None:
    assert create(env, "--team", "EMEA", "--team", "DACH").exit_code == 0
    listed = say(env, "list").output
    assert all(part in listed for part in ("ana@firm.example", "manager", "EMEA, DACH"))
    assert is_right_password(PHRASE, ana(people_database).password_hash)


def test_asked_password_stays_hidden(env: dict[str, str], people_database: Database) -> None:
    result = create({**env, "LOSSNLP_PASSWORD": ""}, typed=f"{PHRASE}\n{PHRASE}\n")
    assert result.exit_code == 0
    assert PHRASE not in result.output
    assert is_right_password(PHRASE, ana(people_database).password_hash)


def test_unknown_role_is_refused(env: dict[str, str]) -> None:
    assert say(env, "create", "ana@firm.example", "--name", "Ana", "--role", "boss").exit_code == 2


def test_disabled_person_is_marked(env: dict[str, str], people_database: Database) -> None:
    create(env)
    say(env, "disable", "ana@firm.example")
    assert ana(people_database).disabled_at is not None


def test_password_is_changed(env: dict[str, str], people_database: Database) -> None:
    create(env)
    say({**env, "LOSSNLP_PASSWORD": "other plain words here"}, "password", "ana@firm.example")
    assert is_right_password("other plain words here", ana(people_database).password_hash)


@pytest.mark.parametrize("command", ["disable", "password"])
def test_unknown_email_is_told(env: dict[str, str], command: str) -> None:
    with pytest.raises(LossNlpError, match="people list"):
        say(env, command, "nobody@firm.example")
