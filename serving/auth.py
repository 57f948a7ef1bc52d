"""API keys: made with 256 random bits, kept as digests, compared in constant time, each let in as far as its scopes go."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from serving.api_keys import find_keys, hour_of, note_key_use
from serving.logs import describe_error
from serving.problems import ProblemError
from serving.scopes import covers
from serving.secret_values import digest_secret, write_secret
from serving.settings import Settings
from serving.store import Database, now

_bearer = HTTPBearer(
    auto_error=False,
    description="An API key with the scope that the route names, made with `lossnlp-serve keys create`; `admin` holds all.",
)
_PREFIX = "lossnlp_"
KEY_FILE = "api-key"
FIRST_KEY = "LOSSNLP_API_KEY"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key in use.

    Args:
        name: Who uses it.
        sha256: Its digest, in hex.
        scopes: What it may do.
        id: Of its row; None is the first key, which the environment names.
        last_used_at: The hour of its last use, as far as it is written down.
    """

    name: str
    sha256: str = field(repr=False)
    scopes: tuple[str, ...]
    id: int | None = None
    last_used_at: datetime | None = None

    def may(self, *scopes: str) -> bool:
        """Says whether the key may do what needs these scopes."""
        return covers(self.scopes, scopes)


def new_key() -> str:
    """Gives a fresh key of 256 random bits; it is shown once and stored nowhere."""
    return _PREFIX + secrets.token_urlsafe(32)


def find_known(offered: str, keys: Iterable[KnownKey]) -> KnownKey | None:
    """Gives the key that this is, None where it is none of these; takes as long for a near miss as for a far one."""
    digest, found = digest_secret(offered), None
    for key in keys:
        found = key if hmac.compare_digest(digest, key.sha256) else found
    return found


def keys_in_use(settings: Settings, database: Database) -> list[KnownKey]:
    """Gives all keys in use: the one that the environment names, which may do everything, then those that were made."""
    known = first_key(settings)
    with database.reading() as session:
        rows = find_keys(session)
        return known + [KnownKey(row.name, row.key_sha256, tuple(row.scopes), row.id, row.last_used_at) for row in rows]


def first_key(settings: Settings) -> list[KnownKey]:
    """Gives the key that the environment names, which may do everything, where it names one."""
    first = settings.api_key
    return [KnownKey(FIRST_KEY, digest_secret(first.get_secret_value()), ("admin",))] if first else []


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def require_key(request: Request, needed: SecurityScopes, credentials: Credentials) -> None:
    """Lets a request pass that carries a key in use with the scopes that its route names with `Security`.

    Raises:
        ProblemError: 401 without a key or with one that is not, or no longer, in use; 403 without a scope.
    """
    database: Database = request.app.state.database
    request.state.key = key = check_key(credentials, request.app.state.settings, database)
    require_scopes(key, needed.scopes)


def check_key(credentials: HTTPAuthorizationCredentials | None, settings: Settings, database: Database) -> KnownKey:
    """Gives the key in use that the credentials are, its use noted.

    Raises:
        ProblemError: 401 without a key or with one that is not, or no longer, in use; 503 where the database is away, but for the
            key that the environment names.
    """
    try:
        known = keys_in_use(settings, database)
    except SQLAlchemyError as error:
        known = first_key(settings)
        if credentials is None or find_known(credentials.credentials, known) is None:
            _log.warning("keys_not_read", **describe_error(error))
            raise ProblemError(503, "API keys cannot be checked: the database is away. Try again later.") from None
    key = find_known(credentials.credentials, known) if credentials else None
    if key is None:
        detail = "This needs an API key in use, as the header 'Authorization: Bearer KEY'."
        raise ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})
    _note_use(key, database)
    return key


def require_scopes(key: KnownKey, needed: Collection[str]) -> None:
    """Passes when the key holds the scopes.

    Raises:
        ProblemError: 403, naming what it lacks.

    Source: RFC 6750, section 3.1 (`insufficient_scope`).
    """
    if key.may(*needed):
        return
    lacking = " and ".join(f"'{scope}'" for scope in needed if scope not in key.scopes)
    challenge = f'Bearer error="insufficient_scope", scope="{" ".join(needed)}"'
    detail = (
        f"This key lacks the scope {lacking}; use one that has it, made with `lossnlp-serve keys create NAME --scope`."
    )
    raise ProblemError(403, detail, headers={"WWW-Authenticate": challenge})


def _note_use(key: KnownKey, database: Database) -> None:
    at = now()
    if key.id is None or (key.last_used_at is not None and key.last_used_at >= hour_of(at)):
        return
    try:
        note_key_use(database, key.id, at=at)
    except SQLAlchemyError as error:  # what is only told must not keep anybody out
        _log.warning("key_use_not_noted", **describe_error(error))


def read_or_make_key(var_dir: Path) -> str:
    """Gives the key of `var_dir/api-key`; the first call makes one that only this user can read."""
    path = var_dir / KEY_FILE
    if path.exists() and (key := path.read_text(encoding="ascii").strip()):
        return key
    key = new_key()
    write_secret(path, key)
    return key


def with_first_key(settings: Settings) -> Settings:
    """Gives the settings with a first key: in development one is made where none is set."""
    if settings.api_key or settings.env == "production":
        return settings
    return settings.model_copy(update={"api_key": SecretStr(read_or_make_key(settings.var_dir))})
