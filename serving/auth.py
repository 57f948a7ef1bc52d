"""API keys: made with 256 random bits, kept as digests, compared in constant time."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from serving import store
from serving.problems import ProblemError
from serving.secret_values import digest_secret, write_secret
from serving.settings import Settings
from serving.store import Database

_bearer = HTTPBearer(auto_error=False, description="An API key, made with `lossnlp-serve keys create`.")
_PREFIX = "lossnlp_"
KEY_FILE = "api-key"


def new_key() -> str:
    """Gives a fresh key of 256 random bits; it is shown once and stored nowhere."""
    return _PREFIX + secrets.token_urlsafe(32)


def is_known(key: str, digests: Iterable[str]) -> bool:
    """Says whether the key is one of those with these digests; takes as long for a near miss as for a far one."""
    offered, known = digest_secret(key), False
    for digest in digests:
        known |= hmac.compare_digest(offered, digest)
    return known


def known_digests(settings: Settings, database: Database) -> list[str]:
    """Gives the digests of all keys in use: the one that the environment names, then those that were made."""
    first = [digest_secret(settings.api_key.get_secret_value())] if settings.api_key else []
    with database.reading() as session:
        return first + [row.key_sha256 for row in store.find_keys(session)]


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def require_key(request: Request, credentials: Credentials) -> None:
    """Lets a request pass that carries a key in use.

    Raises:
        ProblemError: 401 without a key or with one that is not, or no longer, in use.
    """
    check_key(credentials, request.app.state.settings, request.app.state.database)


def check_key(credentials: HTTPAuthorizationCredentials | None, settings: Settings, database: Database) -> None:
    """Passes when the credentials are a key in use.

    Raises:
        ProblemError: 401 without a key or with one that is not, or no longer, in use.
    """
    digests = known_digests(settings, database)
    if credentials is None or not is_known(credentials.credentials, digests):
        detail = "This needs an API key in use, as the header 'Authorization: Bearer KEY'."
        raise ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})


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
