"""The record of a deal: who set which value when, and why."""

from __future__ import annotations

import csv
import io
from typing import Any

from serving.crm.demo import DemoCrm
from serving.crm.fields import FieldMap
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake, parse_deal
from serving.record import RecordEntry, find_record, write_record
from serving.store import Database
from serving.worker import Worker

DEAL = "OV-2133"
PERSONS_DEAL = "OV-2098"


def take(intake: Intake, deal_id: str = DEAL) -> None:
    intake.take_deal(parse_deal({"id": deal_id, "text": "price was far too high"}))


def entries(database: Database, deal_id: str | None = None) -> list[RecordEntry]:
    with database.reading() as session:
        return list(find_record(session, FieldMap.plain(), deal_id=deal_id))


def of_reason(database: Database, deal_id: str = DEAL) -> list[RecordEntry]:
    return [entry for entry in entries(database, deal_id) if entry.field == PRIMARY_REASON]


def test_a_written_value_is_on_record(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    Worker(database, crm, clock).send_due()
    entry = of_reason(database)[0]
    assert (entry.act, entry.by, entry.before, entry.after, entry.outcome) == ("set", "lossnlp", None, "price", "sent")
    assert (entry.model_version, entry.evidence) == ("keywords-1", "price")


def test_a_value_put_back_is_on_record(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    worker = Worker(database, crm, clock)
    worker.send_due()
    worker.undo(1)
    acts = [(entry.act, entry.before, entry.after) for entry in of_reason(database)]
    assert acts == [("set", None, "price"), ("put back", "price", None)]


def test_a_persons_value_is_on_record(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake, PERSONS_DEAL)
    Worker(database, crm, clock).send_due()
    entry = of_reason(database, PERSONS_DEAL)[0]
    assert (entry.act, entry.by, entry.after) == ("kept", "person", "competitor")


def test_the_record_of_one_deal_holds_no_other(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    take(intake, PERSONS_DEAL)
    Worker(database, crm, clock).send_due()
    assert {entry.deal_id for entry in entries(database, DEAL)} == {DEAL}
    assert {entry.deal_id for entry in entries(database)} == {DEAL, PERSONS_DEAL}


def test_the_record_is_exported_as_csv(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    Worker(database, crm, clock).send_due()
    file = io.StringIO()
    count = write_record(iter(entries(database)), file)
    rows = list(csv.DictReader(file.getvalue().splitlines()))
    assert len(rows) == count > 0
    assert {"at", "deal_id", "field", "before", "after", "evidence", "verdict"} <= set(rows[0])
