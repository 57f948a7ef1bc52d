"""Views of the queue that people keep under a name."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lossnlp.errors import LossNlpError
from serving.people.access import Viewer
from serving.review.queue_view import QueueView
from serving.tables import PersonRow, SavedFilterRow

MOST_NAME_CHARS = 100
_MOST_QUERY_CHARS = 1000
_MOST = 30


class SavedFilterError(LossNlpError):
    """Says that a view cannot be saved as it is."""

    code = "bad_filter"


def find_saved(session: Session, viewer: Viewer) -> list[SavedFilterRow]:
    """Gives what the viewer has saved, by name."""
    query = select(SavedFilterRow).where(SavedFilterRow.person_id == viewer.person_id)
    return list(session.scalars(query.order_by(func.lower(SavedFilterRow.name), SavedFilterRow.id)))


def save_filter(session: Session, viewer: Viewer, name: str, view: QueueView) -> SavedFilterRow:
    """Gives the saved view; one of the same name is replaced. The caller commits.

    Raises:
        SavedFilterError: The name is missing or too long, or too much is saved; says so in one sentence.
    """
    row = SavedFilterRow(person_id=viewer.person_id, name=_name(name), query=_query(view))
    session.get_one(PersonRow, viewer.person_id, with_for_update=True)  # of two clicks the second finds the first's row
    same = find_named(session, viewer, row.name)
    if same is not None:
        same.query = row.query
        return same
    if len(find_saved(session, viewer)) >= _MOST:
        raise SavedFilterError(f"{_MOST} filters are saved already; delete one first.", field="name")
    session.add(row)
    session.flush()
    return row


def find_named(session: Session, viewer: Viewer, name: str) -> SavedFilterRow | None:
    """Gives what the viewer has saved under a name, None where that is nothing."""
    query = select(SavedFilterRow).where(SavedFilterRow.person_id == viewer.person_id, SavedFilterRow.name == name)
    return session.scalar(query)


def delete_filter(session: Session, viewer: Viewer, filter_id: int) -> None:
    """Makes a saved view of the viewer's go; another's stays. The caller commits."""
    own = SavedFilterRow.person_id == viewer.person_id
    session.execute(delete(SavedFilterRow).where(SavedFilterRow.id == filter_id, own))


def _name(given: str) -> str:
    name = " ".join(given.replace("\x00", "").split())
    if not name:
        raise SavedFilterError("Give the filter a name.", field="name")
    if len(name) > MOST_NAME_CHARS:
        raise SavedFilterError(f"A name has at most {MOST_NAME_CHARS} characters; shorten it.", field="name")
    return name


def _query(view: QueueView) -> str:
    query = replace(view, page=1).query
    if len(query) > _MOST_QUERY_CHARS:
        raise SavedFilterError("These filters are too long to be saved; take one of them off.", field="name")
    return query
