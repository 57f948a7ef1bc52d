"""What an address may hold: ids that a database can look up, and no zero characters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.types import Scope

RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def is_readable(scope: Scope) -> bool:
    """Says whether a request's address can be looked up; PostgreSQL holds no zero characters."""
    return "\x00" not in scope["path"] and b"%00" not in scope.get("query_string", b"")
