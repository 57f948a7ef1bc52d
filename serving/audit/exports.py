"""Exports by people: which file was taken, by whom."""

from __future__ import annotations

import structlog
from fastapi import Request

from serving.audit.chain import write_entry
from serving.audit.entries import Entry
from serving.people.access import Viewer
from serving.store import Database


def note_export(request: Request, viewer: Viewer) -> None:
    """Writes down that a person takes a file with them, before they get it."""
    database: Database = request.app.state.database
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    write_entry(database, Entry(f"person {viewer.person_id}", "export", request.url.path, request_id=request_id))
