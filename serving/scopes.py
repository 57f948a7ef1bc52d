"""Scopes: what an API key may do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

Scope = Literal["classify", "read", "write-back", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
USUAL_SCOPES: tuple[Scope, ...] = ("classify", "read", "write-back")
MEANINGS: dict[Scope, str] = {
    "classify": "have deals read",
    "read": "get stored answers, the list of reasons and the metrics",
    "write-back": "have what is accepted of a deal written into the CRM",
    "admin": "do everything",
}


def covers(held: Collection[str], needed: Collection[str]) -> bool:
    """Says whether who holds these scopes may do what needs those; `admin` holds all."""
    return "admin" in held or set(needed) <= set(held)
