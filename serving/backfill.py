"""Backfills: all deals lost since a moment are listed, taken in and written back as one batch that can be shown before and undone after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.errors import InvalidDealError, LossNlpError
from serving import inbox, outbox, store
from serving.crm.protocol import Fields, FieldValue, LostEvent, fetch_all_lost
from serving.errors import UnknownIdError
from serving.intake import parse_deal
from serving.logs import describe_error
from serving.receiver import Receiver
from serving.review.verdicts import read_held
from serving.tables import BatchRow, WriteBackRow
from serving.worker import Worker
from serving.writeback import evidence_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """What a backfill would do with one field of a deal.

    Args:
        field: The CRM's name of the field.
        before: What stands there.
        after: What would stand there.
        act: `write`, `clear`, or `keep` for a person's value that stays.
        evidence: The words of the deal that show the value.
    """

    field: str
    before: FieldValue
    after: FieldValue
    act: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class PlannedDeal:
    """What a backfill would do with one deal.

    Args:
        deal_id: The CRM's id of the deal.
        values: One entry for each field that would change or be kept.
        primary_reason: The code that was read; None where nothing was.
        silence: Why nothing is written: `no text`, `unreadable`, `failed`, `not in the CRM`, `all waits for a person`; else empty.
    """

    deal_id: str
    values: tuple[PlannedValue, ...] = ()
    primary_reason: str | None = None
    silence: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch has come.

    Args:
        deals: Deals by state of the inbox.
        write_backs: Write-backs by state.
        is_listed: Whether all pages of the CRM have been read.
    """

    deals: Mapping[str, int] = field(default_factory=dict)
    write_backs: Mapping[str, int] = field(default_factory=dict)
    is_listed: bool = False

    @property
    def open(self) -> int:
        """Deals and write-backs that are still to come."""
        deals = sum(self.deals.get(state, 0) for state in inbox.OPEN)
        return deals + sum(self.write_backs.get(state, 0) for state in outbox.OPEN)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.is_listed and not self.open


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of the undoing of a batch: fields put back and fields of persons left, by deal; deals that could not be undone."""

    put_back: Mapping[str, Fields]
    left: Mapping[str, Fields]
    failed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Backfill:
    """Plans, applies and undoes batches.

    Args:
        receiver: Takes deals in; its intake queues write-backs.
        worker: Sends them.
    """

    receiver: Receiver
    worker: Worker

    def plan(self, since: datetime | None) -> Iterator[PlannedDeal]:
        """Gives what `apply` would do, deal by deal; writes nothing into the CRM and queues nothing.

        The deals are assessed and the answers kept, so that applying them later assesses nothing anew.

        Raises:
            CrmError: The CRM cannot be read.
        """
        pending: list[tuple[str, dict[str, Any]]] = []
        at_once = self.worker.crm.at_once
        for request in fetch_all_lost(self.worker.crm, since):
            pending.append((str(request["deal"]["id"]), request))
            if len(pending) == at_once:
                yield from self._plan(pending)
                pending = []
        yield from self._plan(pending)

    def _plan(self, requests: list[tuple[str, dict[str, Any]]]) -> Iterator[PlannedDeal]:
        current = self.worker.crm.fetch_fields([deal_id for deal_id, _ in requests]) if requests else {}
        for deal_id, request in requests:
            yield self._plan_deal(deal_id, request, current.get(deal_id))

    def _plan_deal(self, deal_id: str, request: dict[str, Any], current: Fields | None) -> PlannedDeal:
        if not request["documents"]:
            return PlannedDeal(deal_id, silence="no text")
        if current is None:
            return PlannedDeal(deal_id, silence="not in the CRM")
        intake = self.receiver.intake.holding_still()
        try:
            taken = intake.for_crm(None).take_deal(parse_deal(self.receiver.without_our_words(request)))
        except InvalidDealError:
            return PlannedDeal(deal_id, silence="unreadable")
        except Exception as error:  # noqa: BLE001 (one deal must not end the plan of all)
            _log.warning("plan_failed", deal_id=deal_id, **describe_error(error))
            return PlannedDeal(deal_id, silence="failed")
        with self.worker.database.reading() as session:
            row = store.get_assessment(session, taken.id)
            assessment = Assessment.model_validate(row.assessment)
            held = read_held(session, row, assessment, intake.assessor.taxonomy)
            answer, planned, is_confirmed = held.reading, held.planned, held.verdict is not None
            ours = outbox.find_our_values(session, deal_id, crm=self.worker.crm.name, with_confirmed=is_confirmed)
        decision = self.worker.decide(planned, current=current, ours=ours, is_confirmed=is_confirmed)
        values = [
            PlannedValue(
                field=name,
                before=decision.before[name],
                after=after,
                act="clear" if after is None else "write",
                evidence=evidence_of(answer, name, self.worker.fields),
            )
            for name, after in decision.write.items()
        ]
        values += [PlannedValue(name, there, there, "keep") for name, there in decision.kept.items()]
        silence = "" if self.worker.fields.to_crm(planned) else "all waits for a person"
        return PlannedDeal(deal_id, tuple(values), answer.primary.code, silence)

    def begin(self, since: datetime | None) -> str:
        """Gives the id of a new batch; nothing is listed yet."""
        batch = BatchRow(id=str(uuid4()), crm=self.worker.crm.name, since_at=since, created_at=self.worker.clock())
        with self.worker.database.writing() as session:
            session.add(batch)
            session.commit()
        return batch.id

    def steps(self, batch_id: str) -> Iterator[Progress]:
        """Gives the progress after each step until nothing is due: list a page, take deals in, send values.

        Killed at any point, a later call with the same id goes on. What has to wait for a retry is left for such a call.

        Raises:
            UnknownIdError: No batch of this CRM has the id.
            CrmError: The CRM cannot be listed.
        """
        while not (progress := self.progress(batch_id)).is_listed:
            self._list_page(batch_id)
            yield self.progress(batch_id)
        yield progress
        while self.receiver.take_due() + self.worker.send_due():
            yield self.progress(batch_id)

    def _list_page(self, batch_id: str) -> None:
        with self.worker.database.reading() as session:
            batch = _get_batch(session, batch_id, crm=self.worker.crm.name)
            since, cursor = batch.since_at, batch.cursor
        page = self.worker.crm.find_lost(since, cursor=cursor)
        at = self.worker.clock()
        with self.worker.database.writing() as session:
            batch = _get_batch(session, batch_id, crm=self.worker.crm.name)
            events = [LostEvent(f"backfill:{batch_id}:{deal_id}", deal_id) for deal_id in page.deal_ids]
            inbox.add_events(session, events, crm=batch.crm, door="backfill", at=at, batch_id=batch_id)
            batch.cursor, batch.is_listed = page.cursor, page.cursor is None
            session.commit()

    def progress(self, batch_id: str) -> Progress:
        """Gives how far a batch has come.

        Raises:
            UnknownIdError: No batch of this CRM has the id.
        """
        with self.worker.database.reading() as session:
            batch = _get_batch(session, batch_id, crm=self.worker.crm.name)
            deals = inbox.count_by_state(session, batch_id=batch_id)
            write_backs = outbox.count_by_state(session, batch_id=batch_id)
            return Progress(deals, write_backs, batch.is_listed)

    def find_silent(self, batch_id: str) -> list[tuple[str, str, str | None]]:
        """Gives deal, state and cause of each deal of a batch that gave no answer: without text, unreadable, gone or failed."""
        with self.worker.database.reading() as session:
            rows = inbox.find_events(session, states=("silent", "unreadable", "gone", "failed"), batch_id=batch_id)
            return [(row.deal_id, row.state, row.error) for row in rows]

    def undo(self, batch_id: str) -> Undone:
        """Gives what was put back; what a person has changed since is left and named. What the batch has not done yet is never done.

        Killed half-way, it can be called again: what has been put back stays so.

        Raises:
            UnknownIdError: No batch of this CRM has the id.
        """
        self._stop(batch_id)
        with self.worker.database.reading() as session:
            query = select(WriteBackRow).where(WriteBackRow.batch_id == batch_id).order_by(WriteBackRow.id.desc())
            rows = list(session.scalars(query))
            sending = {row.deal_id: "is being sent now; undo the batch again" for row in rows if row.state == "sending"}
            left_values = [(row.id, row.deal_id) for row in rows if row.state in ("sent", "failed") and row.after]
        put_back: dict[str, Fields] = {}
        left: dict[str, Fields] = {}
        failed: dict[str, str] = dict(sending)
        for write_back_id, deal_id in left_values:
            try:
                decision = self.worker.undo(write_back_id)
            except LossNlpError as error:
                failed[deal_id] = error.message
                continue
            put_back[deal_id] = decision.write
            if decision.kept:
                left[deal_id] = decision.kept
        return Undone(put_back, left, failed)

    def _stop(self, batch_id: str) -> None:
        at = self.worker.clock()
        with self.worker.database.writing() as session:
            batch = _get_batch(session, batch_id, crm=self.worker.crm.name)
            batch.is_listed, batch.undone_at = True, at
            inbox.stop_batch(session, batch_id, at=at)
            outbox.stop_batch(session, batch_id, at=at)
            session.commit()

    def find_batches(self) -> list[BatchRow]:
        """Gives the batches of this CRM, newest first."""
        with self.worker.database.reading() as session:
            query = select(BatchRow).where(BatchRow.crm == self.worker.crm.name).order_by(BatchRow.created_at.desc())
            return list(session.scalars(query))


def count_changes(deals: list[PlannedDeal]) -> dict[str, Counter[str]]:
    """Gives how often each field would be written, cleared or kept, and how often each primary reason was read."""
    acts: dict[str, Counter[str]] = {}
    for deal in deals:
        for value in deal.values:
            acts.setdefault(value.field, Counter())[value.act] += 1
    acts["primary reason read"] = Counter(deal.primary_reason for deal in deals if deal.primary_reason)
    return acts


def _get_batch(session: Session, batch_id: str, *, crm: str) -> BatchRow:
    batch = session.get(BatchRow, batch_id)
    if batch is None or batch.crm != crm:
        raise UnknownIdError(
            f"No batch of the CRM '{crm}' has the id {batch_id}; `lossnlp-serve backfill --list` shows them."
        )
    return batch
