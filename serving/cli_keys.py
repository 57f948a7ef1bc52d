"""The commands `lossnlp-serve keys …`: make, show, replace and revoke API keys; each change stands in the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from serving.api_keys import add_key, find_keys, require_free_name, revoke_key, rotate_key
from serving.audit.by_command import record_in
from serving.auth import new_key
from serving.errors import ConfigurationError
from serving.schema import open_database
from serving.scopes import MEANINGS, SCOPES, USUAL_SCOPES
from serving.secret_values import digest_secret
from serving.settings import load_settings
from serving.store import now
from serving.tables import ApiKeyRow
from serving.terminal import open_console

keys = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SCOPES_TOLD = ", ".join(f"{scope} ({meaning})" for scope, meaning in MEANINGS.items())
_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
Name = Annotated[str, typer.Argument(help="Who uses it.", metavar="NAME")]


@keys.command("create")
def create_key(
    name: Name,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it may do, of {_SCOPES_TOLD}; may be repeated. Without it all but admin.", metavar="SCOPE"
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="Days that it counts, or the last day (UTC), YYYY-MM-DD; without it for ever.")
    ] = None,
) -> None:
    """Prints a new API key, this once."""
    key, expires_at = new_key(), _read_end(expires) if expires else None
    scopes = _read_scopes(scope or USUAL_SCOPES)
    with closing(open_database(load_settings().database_url)) as database, database.writing() as session:
        require_free_name(session, name)
        row = add_key(session, name=name, key_sha256=digest_secret(key), scopes=scopes, expires_at=expires_at)
        record_in(session, "key_create", _told(row))
        session.commit()
    _show_once(key, row)


@keys.command("rotate")
def replace_key(
    name: Name,
    overlap: Annotated[
        str, typer.Option(help="How long the old key counts beside it, such as 30m, 24h or 7d.")
    ] = "24h",
) -> None:
    """Prints a new API key with the same name and scopes, this once; the old one expires after the overlap."""
    key, both = new_key(), _read_span(overlap)
    with closing(open_database(load_settings().database_url)) as database, database.writing() as session:
        row = rotate_key(session, name, key_sha256=digest_secret(key), overlap=both)
        record_in(session, "key_rotate", _told(row))
        session.commit()
    _show_once(key, row)
    typer.echo(f"The old key counts until {now() + both:%Y-%m-%d %H:%M} UTC at most.", err=True)


@keys.command("revoke")
def end_key(key_id: Annotated[int, typer.Argument(help="Its id in `keys list`.", metavar="ID")]) -> None:
    """Makes a key useless from now on."""
    with closing(open_database(load_settings().database_url)) as database, database.writing() as session:
        row = revoke_key(session, key_id)
        record_in(session, "key_revoke", _told(row))
        session.commit()
    typer.echo(f"Key {key_id} is revoked.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Shows all keys ever made, without the keys themselves; the last use is known to the hour."""
    table = Table("id", "name", "scopes", "made", "expires", "last used", "revoked")
    with closing(open_database(load_settings().database_url)) as database, database.reading() as session:
        for row in find_keys(session, with_ended=True):
            moments = (row.created_at, row.expires_at, row.last_used_at, row.revoked_at)
            table.add_row(str(row.id), escape(row.name), ", ".join(row.scopes), *map(_shown, moments))
    open_console().print(table)


def _show_once(key: str, row: ApiKeyRow) -> None:
    typer.echo(key)
    until = f" until {_shown(row.expires_at)} UTC" if row.expires_at else ""
    typer.echo(
        f"Key {row.id} for {row.name} may {', '.join(row.scopes)}{until}. Keep it now: only a digest is stored.",
        err=True,
    )


def _told(row: ApiKeyRow) -> str:
    """Gives a key as the audit log names it: the end of a long name is cut off there, so the name comes last."""
    return f"{row.id} ({', '.join(row.scopes)}) {row.name}"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _read_scopes(given: Iterable[str]) -> tuple[str, ...]:
    """Gives the scopes, each once.

    Raises:
        ConfigurationError: There is no such scope.
    """
    scopes = tuple(dict.fromkeys(given))
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise ConfigurationError(f"--scope takes {', '.join(SCOPES)}, not '{unknown[0]}'.", field="scope")
    return scopes


def _read_end(text: str) -> datetime:
    """Gives the moment from which a key no longer counts.

    Raises:
        ConfigurationError: It cannot be read, or has passed.
    """
    days = text.removesuffix("d")
    if days.isascii() and days.isdecimal() and 0 < len(days) <= 5:
        end = now() + timedelta(days=int(days))
    else:
        try:
            last = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise ConfigurationError(
                "--expires takes days, such as 90, or a day, such as 2027-06-30.", field="expires"
            ) from None
        end = datetime.combine(last.date(), time(), UTC) + timedelta(days=1)
    if end <= now():
        raise ConfigurationError("--expires has passed already; give a later day.", field="expires")
    return end


def _read_span(text: str) -> timedelta:
    read = _SPAN.fullmatch(text)
    if read is None:
        raise ConfigurationError("--overlap takes a span such as 30m, 24h or 7d.", field="overlap")
    return timedelta(**{_UNITS[read[2]]: int(read[1])})
