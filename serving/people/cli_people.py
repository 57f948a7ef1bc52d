"""The commands `lossnlp-serve people …`: the first account, and accounts where no page is at hand."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy.orm import Session

from serving.audit.by_command import record_in
from serving.errors import UnknownIdError
from serving.people.access import Role
from serving.people.accounts import (
    Access,
    NewPerson,
    add_person,
    count_people,
    disable_person,
    find_people,
    find_person,
    set_password,
)
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now
from serving.tables import PersonRow
from serving.terminal import open_console

_PASSWORD = "LOSSNLP_PASSWORD"  # noqa: S105 (the name of a variable)

people = typer.Typer(help="Make and disable the accounts of people.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(help="What they sign in with.", metavar="EMAIL")]


@people.command("create")
def create_person(
    email: Email,
    *,
    name: Annotated[str, typer.Option(help="As pages show it.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    team: Annotated[list[str] | None, typer.Option(help="A team that a manager sees; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(help="What the CRM calls a rep as the owner of deals.")] = None,
) -> None:
    """Makes an account; asks for its password, or reads it from LOSSNLP_PASSWORD."""
    database = open_database(load_settings().database_url)
    new = NewPerson(email, name, Access(role, tuple(team or ()), owner), _read_password())
    with database.writing() as session:
        person = add_person(session, new, at=now())
        record_in(session, "person_add", f"person {person.id}: {person.role}")
        session.commit()
    typer.echo(f"{person.email} has an account as {person.role}.", err=True)


@people.command("list")
def list_people() -> None:
    """Shows all accounts."""
    table = Table("id", "e-mail", "name", "role", "teams", "owner", "made", "disabled")
    with open_database(load_settings().database_url).reading() as session:
        for row in find_people(session, limit=count_people(session)):
            disabled = f"{row.disabled_at:%Y-%m-%d}" if row.disabled_at else ""
            names = (row.email, row.name, row.role, ", ".join(row.teams), row.owner or "")
            table.add_row(str(row.id), *names, f"{row.created_at:%Y-%m-%d}", disabled)
    open_console().print(table)


@people.command("disable")
def disable_account(email: Email) -> None:
    """Keeps a person from signing in and ends their sessions; what they did stays."""
    with open_database(load_settings().database_url).writing() as session:
        person = _get(session, email)
        disable_person(session, person, at=now())
        record_in(session, "person_disable", f"person {person.id}")
        session.commit()
    typer.echo(f"{person.email} can no longer sign in.", err=True)


@people.command("password")
def change_password(email: Email) -> None:
    """Gives a person another password and ends their sessions; asks for it, or reads it from LOSSNLP_PASSWORD."""
    database = open_database(load_settings().database_url)
    with database.reading() as session:
        _get(session, email)
    password = _read_password()
    with database.writing() as session:
        person = _get(session, email)
        set_password(session, person, password)
        record_in(session, "password_change", f"person {person.id}")
        session.commit()
    typer.echo(f"{person.email} has a new password.", err=True)


def _get(session: Session, email: str) -> PersonRow:
    person = find_person(session, email)
    if person is None:
        raise UnknownIdError("Nobody has this e-mail; `lossnlp-serve people list` shows who is there.")
    return person


def _read_password() -> str:
    given = os.environ.get(_PASSWORD)
    if given:
        return given
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked
