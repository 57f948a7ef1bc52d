"""Everything that is kept about a deal or a person, as JSON, for who asks what is known of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from serving.privacy.deal_rows import get_deal_rows
from serving.privacy.person_search import Traces, get_traces
from serving.review.seal import Seal, SealError
from serving.store import Database, now
from serving.tables import (
    AssessmentRow,
    AuditRow,
    InterviewRow,
    PersonRow,
    SealedTextRow,
    SessionRow,
    StoryConsentRow,
    VerdictRow,
)

Told = dict[str, Any]
_SECRET = ("password_hash", "token_sha256", "form_token", "key_sha256")
_GIVEN_BY = (VerdictRow, InterviewRow, StoryConsentRow, SessionRow)


def export_deal(database: Database, deal_id: str, *, seal: Seal | None) -> Told:
    """Gives every row of a deal, encrypted texts opened where a key is at hand.

    Raises:
        UnknownIdError: Nothing here belongs to such a deal.
    """
    with database.reading() as session:
        found = get_deal_rows(session, deal_id)
        tables = {table.name: [_told(row, seal) for row in rows] for table, rows in found.items()}
    return {"about": {"deal": deal_id}, "made_at": now().isoformat(timespec="seconds"), "tables": tables}


def export_person(database: Database, named: list[str], *, seal: Seal | None) -> Told:
    """Gives the account of a person, what they did under it, every row that names them, and encrypted texts that do.

    Args:
        database: Where they are named.
        named: Their name, mail address, or both.
        seal: Opens encrypted texts; None where no key is at hand.

    Raises:
        UnknownIdError: Nothing here names them.
    """
    with database.reading() as session:
        traces = get_traces(session, named, seal)
        return {
            "about": {"person": named},
            "made_at": now().isoformat(timespec="seconds"),
            "accounts": [_told_account(session, account) for account in traces.accounts],
            "named_in": _named_in(traces, seal),
            "encrypted_texts": [_told_sealed(session, one, seal) for one in traces.sealed],
            "encrypted_texts_unsearched": traces.unsearched,
        }


def _named_in(traces: Traces, seal: Seal | None) -> Mapping[str, list[Told]]:
    tables = defaultdict(list)
    for table, row in traces.places:
        if table is not PersonRow.__table__:
            tables[table.name].append(_told(row, seal))
    return tables


def _told_account(session: Session, account: PersonRow) -> Told:
    """Gives an account with what was done under it: verdicts, interviews, consents, sessions, entries of the audit log."""
    told: Told = {"people": _columns(session, PersonRow, PersonRow.id == account.id)}
    for table in _GIVEN_BY:
        told[table.__tablename__] = _columns(session, table, table.person_id == account.id)
    told[AuditRow.__tablename__] = _columns(session, AuditRow, AuditRow.who == f"person {account.id}")
    return told


def _columns(session: Session, table: Any, condition: Any) -> list[Told]:  # noqa: ANN401 (any of the tables)
    rows = session.execute(select(table.__table__).where(condition)).mappings()
    return [_told(row, None) for row in rows]


def _told_sealed(session: Session, assessment_id: str, seal: Seal | None) -> Told:
    query = select(SealedTextRow.__table__, AssessmentRow.deal_id)
    query = query.join(AssessmentRow, AssessmentRow.id == SealedTextRow.assessment_id)
    row = session.execute(query.where(SealedTextRow.assessment_id == assessment_id)).mappings().one()
    return _told(row, seal)


def _told(row: RowMapping, seal: Seal | None) -> Told:
    return {name: _value(value, seal) for name, value in row.items() if name not in _SECRET}


def _value(value: Any, seal: Seal | None) -> Any:  # noqa: ANN401 (whatever a column holds)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if not isinstance(value, bytes):
        return value
    try:
        return seal.open(value).model_dump(mode="json", exclude_none=True) if seal else "encrypted; no key is at hand"
    except SealError:
        return "encrypted; no key at hand opens it"
