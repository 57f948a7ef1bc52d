"""What a request may look like before it is read: an address that a database can look up, and one length of its body."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.types import Scope

RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def is_readable(scope: Scope) -> bool:
    """Says whether a request's address can be looked up; PostgreSQL holds no zero characters."""
    return "\x00" not in scope["path"] and b"%00" not in scope.get("query_string", b"")


def has_one_length(scope: Scope) -> bool:
    """Says whether a request tells the length of its body in one way at most; of two, a proxy may believe the other.

    Source: RFC 9112, section 6.1.
    """
    told = {name for name, _ in scope["headers"]}
    return not {b"content-length", b"transfer-encoding"} <= told
