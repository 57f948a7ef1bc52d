"""The record of a deal: who or what set which value when, from which assessment, and what became of it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from lossnlp.assessment import Assessment
from serving.crm.fields import FieldMap
from serving.crm.protocol import FieldValue
from serving.reports.sheets import safe_cell
from serving.review.verdicts import reading_with
from serving.tables import AttemptRow, VerdictRow, WriteBackRow
from serving.writeback import evidence_of

Act = Literal["set", "emptied", "put back", "kept"]


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """One value of one field at one moment.

    Args:
        at: When it was sent, or when it was seen that a person's value stands there.
        deal_id: The CRM's id of the deal.
        field: The CRM's name of the field.
        act: `set`, `emptied` or `put back` by lossnlp, or `kept`: a person's value that was left alone.
        by: `lossnlp`, or `person` for a value that was kept.
        before: What stood there; null where that is not known.
        after: What stands there since.
        outcome: `sent`, `refused`, `unknown`, or empty for what was never sent.
        assessment_id: The answer that the value comes from.
        model_version: The model that gave it.
        evidence: The words of the deal that show it; empty where none were quoted.
        batch_id: The backfill it belonged to.
        verdict: The person's verdict that the value was written by, where there is one: what it was, whose, its id.
    """

    at: datetime
    deal_id: str
    field: str
    act: Act
    by: str
    before: FieldValue
    after: FieldValue
    outcome: str
    assessment_id: str
    model_version: str
    evidence: str = ""
    batch_id: str | None = None
    verdict: str | None = None


def find_record(session: Session, fields: FieldMap, *, deal_id: str | None = None) -> Iterator[RecordEntry]:
    """Gives what is on record, oldest first.

    Args:
        session: An open session.
        fields: What our fields are called in the CRM; by it each field finds its evidence.
        deal_id: Only this deal; None gives all deals.
    """
    query = select(WriteBackRow, VerdictRow).outerjoin(VerdictRow, VerdictRow.id == WriteBackRow.verdict_id)
    query = query.options(selectinload(WriteBackRow.attempts), selectinload(WriteBackRow.assessment_row))
    if deal_id is not None:
        query = query.where(WriteBackRow.deal_id == deal_id)
    entries = [
        replace(entry, verdict=_said(verdict))
        for row, verdict in session.execute(query.order_by(WriteBackRow.id)).all()
        for entry in _entries(row, verdict, fields)
    ]
    yield from sorted(entries, key=lambda entry: entry.at)


def write_record(entries: Iterator[RecordEntry], file: TextIO) -> int:
    """Writes the record as CSV with a head line and gives the number of entries."""
    names = [field.name for field in dataclasses.fields(RecordEntry)]
    writer = csv.DictWriter(file, names, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    count = 0
    for entry in entries:
        cells = dataclasses.asdict(entry) | {"at": entry.at.isoformat(timespec="seconds")}
        writer.writerow({name: safe_cell(cell) for name, cell in cells.items()})
        count += 1
    return count


def _said(verdict: VerdictRow | None) -> str | None:
    """Gives which verdict a value was written by, and whose it is."""
    return f"{verdict.kind} by {verdict.person.name} ({verdict.id})" if verdict else None


def _entries(row: WriteBackRow, verdict: VerdictRow | None, fields: FieldMap) -> Iterator[RecordEntry]:
    answer = reading_with(Assessment.model_validate(row.assessment_row.assessment), verdict, fields.taxonomy)
    found = [_sent(row, attempt, field) for attempt in row.attempts for field in attempt.after]
    found += [_kept(row, field) for field in row.kept]
    for entry in found:
        yield replace(entry, evidence=evidence_of(answer, entry.field, fields)) if entry.act == "set" else entry


def _sent(row: WriteBackRow, attempt: AttemptRow, field: str) -> RecordEntry:
    after: FieldValue = attempt.after[field]
    is_undo = attempt.kind == "undo"
    return RecordEntry(
        at=attempt.started_at,
        deal_id=row.deal_id,
        field=field,
        act="put back" if is_undo else "emptied" if after is None else "set",
        by="lossnlp",
        before=(row.after if is_undo else row.before).get(field),
        after=after,
        outcome=attempt.outcome or "unknown",
        assessment_id=row.assessment_id,
        model_version=row.assessment_row.model_version,
        batch_id=row.batch_id,
    )


def _kept(row: WriteBackRow, field: str) -> RecordEntry:
    there: FieldValue = row.kept[field]
    return RecordEntry(
        at=row.settled_at or row.created_at,
        deal_id=row.deal_id,
        field=field,
        act="kept",
        by="person",
        before=there,
        after=there,
        outcome="",
        assessment_id=row.assessment_id,
        model_version=row.assessment_row.model_version,
        batch_id=row.batch_id,
    )
