"""The worker: sends write-backs without an open transaction, records every attempt, takes one back on request."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

import structlog

from lossnlp.errors import LossNlpError
from serving import outbox
from serving.crm.fields import FieldMap
from serving.crm.protocol import Crm, FieldChange, Fields, FieldValue, SendResult
from serving.leases import ClockWatch
from serving.logs import describe_error
from serving.loops import repeat
from serving.outbox import Claim
from serving.store import Database, now
from serving.tables import AttemptRow, WriteBackRow, cut_error
from serving.traces import NO_TRACES, Traces, part
from serving.writeback import Decision, decide, decide_undo

LEASE_S = 900.0
_log = structlog.get_logger(__name__)


class UndoError(LossNlpError):
    """Says that a write-back cannot be taken back."""

    code = "cannot_undo"


@dataclass(frozen=True, slots=True)
class Worker:
    """Sends what is due.

    Args:
        database: Where the queue stands.
        crm: Where the values go.
        clock: Gives the moment; tests hand in their own.
        fields: What our fields and values are called there, and when each may be written.
        watch: Says when the clock cannot tell whether a lease has run out.
        traces: Begins a trace for what is sent together.
    """

    database: Database
    crm: Crm
    clock: Callable[[], datetime] = now
    fields: FieldMap = field(default_factory=FieldMap.plain)
    watch: ClockWatch = field(default_factory=ClockWatch, repr=False, compare=False)
    traces: Traces = NO_TRACES

    def run(self, stop: Event, *, poll_s: float = 5.0) -> None:
        """Sends until `stop` is set; a fault is logged and tried again, never the end."""
        repeat(self.send_due, stop, wait_s=poll_s, name="worker")

    def send_due(self) -> int:
        """Gives how many write-backs were handled, 0 when nothing is due."""
        claims = self._claim()
        if not claims:
            return 0
        with self.traces.begin("send write-backs", crm=self.crm.name, write_backs=len(claims)):
            self._send_all(claims)
        return len(claims)

    def _send_all(self, claims: list[Claim]) -> None:
        try:
            results = self._send(claims)
        except Exception as error:  # noqa: BLE001 (whatever a CRM client raises, it is tried again)
            _log.warning("crm_call_failed", crm=self.crm.name, **describe_error(error))
            results = [_unknown_result(claim.deal_id, type(error).__name__) for claim in claims]
        self._settle(claims, results)

    def _claim(self) -> list[Claim]:
        at, crm = self.clock(), self.crm
        takes_over = self.watch.may_take_over(at, lease_s=LEASE_S)
        with self.database.reading() as session:
            if not outbox.has_due(session, crm=crm.name, at=at, takes_over=takes_over):
                return []
        with self.database.writing() as session:
            limit = crm.writes_at_once
            claims = outbox.claim_due(session, crm=crm.name, at=at, lease_s=LEASE_S, limit=limit, takes_over=takes_over)
            session.commit()
        return claims

    def _send(self, claims: list[Claim]) -> list[SendResult]:
        """Gives one result a claim: reads what stands, writes down the intent, sends."""
        with part("fetch from CRM"):
            current = self.crm.fetch_fields([claim.deal_id for claim in claims])
        known = [claim for claim in claims if claim.deal_id in current]
        decisions = {c.deal_id: self._decide(c, current[c.deal_id]) for c in known}
        intended = self._record_intents(known, decisions)
        changes = [FieldChange(deal_id, d.write, before=d.before) for deal_id, d in intended.items() if d.write]
        with part("send to CRM", deals=len(changes)):
            told = {result.deal_id: result for result in (self.crm.send_fields(changes) if changes else [])}
        unsent = {c.deal_id: SendResult(c.deal_id, error="lease_lost") for c in known if c.deal_id not in intended}
        unsent |= {c.deal_id: SendResult(c.deal_id, error="deal_not_found") for c in claims if c.deal_id not in current}
        unsent |= {deal_id: SendResult(deal_id) for deal_id, decision in intended.items() if not decision.write}
        results = unsent | told
        return [results.get(c.deal_id) or _unknown_result(c.deal_id, "no_result") for c in claims]

    def _decide(self, claim: Claim, current: Fields) -> Decision:
        return self.decide(claim.planned, current=current, ours=claim.ours, is_confirmed=claim.is_confirmed)

    def decide(
        self,
        planned: Fields,
        *,
        current: Fields,
        ours: Mapping[str, list[FieldValue]],
        is_confirmed: bool = False,
    ) -> Decision:
        """Gives what a write-back would do to a deal.

        Args:
            planned: What the assessment offers, in our words.
            current: What stands in the CRM now, in its words.
            ours: For each field of the CRM the values that we may have left there.
            is_confirmed: Whether a person has judged the values.
        """
        rules = self.fields.rules.for_verdict() if is_confirmed else self.fields.rules
        return decide(self.fields.to_crm(planned), current=current, ours=ours, rules=rules)

    def _record_intents(self, claims: list[Claim], decisions: dict[str, Decision]) -> dict[str, Decision]:
        until = self.clock() + timedelta(seconds=LEASE_S)
        with self.database.writing() as session:
            held = [c for c in claims if outbox.record_intent(session, c, decisions[c.deal_id], until=until)]
            session.commit()
        return {claim.deal_id: decisions[claim.deal_id] for claim in held}

    def _settle(self, claims: list[Claim], results: list[SendResult]) -> None:
        at = self.clock()
        with self.database.writing() as session:
            for claim, result in zip(claims, results, strict=True):
                outbox.settle(session, claim, result, at=at)
                # A CRM's message may quote a value; its code stands before the first colon
                error = result.error and result.error.partition(":")[0]
                _log.info("write_back_settled", deal_id=claim.deal_id, write_back=claim.write_back_id, error=error)
            session.commit()

    def undo(self, write_back_id: int) -> Decision:
        """Gives what was put back, and what was left because a person has changed it since.

        Raises:
            UnknownIdError: No write-back has this id.
            UndoError: Nothing of it was sent, it was taken back before, it went to another CRM, or the CRM does not
                hold the deal or has refused.
        """
        with self.database.reading() as session:
            row = outbox.get_write_back(session, write_back_id)
            self._require_undoable(row)
            later = outbox.find_later(session, row)
            if later is not None:
                raise UndoError(f"Write-back {later} of the same deal came after {row.id}; take that one back first.")
            deal_id, after, before = row.deal_id, dict(row.after), dict(row.before)
        current = self.crm.fetch_fields([deal_id]).get(deal_id)
        if current is None:
            raise UndoError(f"The CRM '{self.crm.name}' does not return deal {deal_id}. Nothing was changed.")
        decision = decide_undo(after, before=before, current=current, rules=self.fields.rules)
        self._put_back(write_back_id, FieldChange(deal_id, decision.write, before=decision.before))
        return decision

    def _require_undoable(self, row: WriteBackRow) -> None:
        if row.crm != self.crm.name:
            message = f"Write-back {row.id} went to the CRM '{row.crm}'; set LOSSNLP_CRM={row.crm} to take it back."
            raise UndoError(message)
        if row.state not in ("sent", "failed") or not row.after:
            why = "" if row.planned else ", or its values were erased or dropped after their time"
            raise UndoError(f"Write-back {row.id} is '{row.state}' and left nothing in the CRM to take back{why}.")

    def _put_back(self, write_back_id: int, change: FieldChange) -> None:
        with self.database.writing() as session:
            attempt = AttemptRow(
                write_back_id=write_back_id, kind="undo", after=dict(change.values), started_at=self.clock()
            )
            session.add(attempt)
            session.commit()
        told = self.crm.send_fields([change]) if change.values else [SendResult(change.deal_id)]
        result = told[0] if told else _unknown_result(change.deal_id, "no_result")
        with self.database.writing() as session:
            session.add(attempt)
            attempt.outcome, attempt.finished_at = result.outcome, self.clock()
            attempt.error = cut_error(result.error)
            if result.error is None:
                outbox.get_write_back(session, write_back_id).state = "undone"
            session.commit()
        if result.outcome == "refused":
            raise UndoError(f"The CRM refused to put the old values back: {result.error}. Nothing was changed.")
        if result.outcome == "unknown":
            raise UndoError(f"The CRM did not say whether it put the old values back ({result.error}); try again.")


def _unknown_result(deal_id: str, error: str) -> SendResult:
    return SendResult(deal_id, error=error, is_retryable=True, is_certain=False)


def stop_on_signal() -> Event:
    """Gives an event that is set when the process is told to stop, by Ctrl-C or by its supervisor."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
