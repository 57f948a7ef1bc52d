"""The receiver: fetches the deals in the inbox from the CRM and takes each in by the one path for every deal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

import structlog

from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from serving import inbox, outbox
from serving.crm.protocol import Crm
from serving.inbox import End, InboxClaim
from serving.intake import Intake, parse_deal
from serving.logs import describe_error, short_cause
from serving.loops import repeat
from serving.store import Database, is_database_away, now
from serving.traces import NO_TRACES, Traces, part

LEASE_S = 600.0
# Answers that one bad deal may cause; where the CRM as such is away, asking for each alone would only add to it
_MAY_BE_ONE_DEALS = frozenset({400, 404, 409, 422, 500})
_FEW = 25
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes in what is due.

    A deal is settled when its answer is committed; killed in between, it is taken once more and finds the stored answer.

    Args:
        database: Where the inbox stands.
        crm: Where the deals are fetched.
        intake: Classifies and keeps.
        clock: Gives the moment; tests hand in their own.
        traces: Begins a trace for what is taken together.
    """

    database: Database
    crm: Crm
    intake: Intake
    clock: Callable[[], datetime] = now
    traces: Traces = NO_TRACES

    def run(self, stop: Event, *, poll_s: float = 2.0) -> None:
        """Takes deals in until `stop` is set; a fault is logged and tried again, never the end."""
        repeat(self.take_due, stop, wait_s=poll_s, name="receiver")

    def take_due(self) -> int:
        """Gives how many events were handled, 0 when nothing is due."""
        at, crm = self.clock(), self.crm
        with self.database.reading() as session:
            if not inbox.has_due(session, crm=crm.name, at=at):
                return 0
        with self.database.writing() as session:
            claims = inbox.claim_events(session, crm=crm.name, at=at, lease_s=LEASE_S, limit=crm.at_once)
            session.commit()
        if not claims:
            return 0
        with self.traces.begin("take events", crm=self.crm.name, events=len(claims)):
            self._take_all(claims)
        return len(claims)

    def _take_all(self, claims: list[InboxClaim]) -> None:
        """Takes the claimed deals in; where the CRM answers that it cannot read them all, by halves, so that one stops no other."""
        try:
            with part("fetch from CRM"):
                found = self.crm.fetch_requests(list(dict.fromkeys(claim.deal_id for claim in claims)))
        except Exception as error:  # noqa: BLE001 (whatever a CRM client raises, it is tried again)
            has_answered = getattr(error, "status", None) in _MAY_BE_ONE_DEALS
            if has_answered and 1 < len(claims) <= _FEW:
                self._take_all(claims[: len(claims) // 2])
                self._take_all(claims[len(claims) // 2 :])
                return
            _log.warning("crm_call_failed", crm=self.crm.name, **describe_error(error))
            self._settle(claims, "failed" if has_answered else "away", error=short_cause(error))
            return
        size = self.intake.line.limits.deals
        for start in range(0, len(claims), size):
            self._take_some(claims[start : start + size], found)

    def _take_some(self, claims: list[InboxClaim], found: Mapping[str, dict[str, Any]]) -> None:
        """Takes claimed deals in one after the other, while all of them are classified together."""
        deals = [self._read(found.get(claim.deal_id)) for claim in claims]
        ahead = self.intake.reading_ahead(deal for deal in deals if isinstance(deal, Deal))
        for claim, deal in zip(claims, deals, strict=True):
            end, cause = _take(claim, deal, ahead) if isinstance(deal, Deal) else deal
            self._settle([claim], end, error=cause)

    def _read(self, request: dict[str, Any] | None) -> Deal | tuple[End, str | None]:
        """Gives the deal of a request; where there is none, what becomes of its event and why."""
        if request is None:
            return "gone", None
        if not request["documents"]:
            return "silent", None
        try:
            return parse_deal(self.without_our_words(request))
        except Exception as error:  # noqa: BLE001 (one deal must not take its neighbours down)
            return _end_of(error)

    def without_our_words(self, request: dict[str, Any]) -> dict[str, Any]:
        """Gives the request without a stated reason that is our own: a company may keep ours in the field of the seller's."""
        deal = request["deal"]
        stated = deal.get("stated_reason")
        if not stated:
            return request
        with self.database.reading() as session:
            ours = outbox.find_our_values(session, str(deal["id"]), crm=self.crm.name, with_confirmed=True)
        if not any(stated == value for values in ours.values() for value in values):
            return request
        return request | {"deal": {name: value for name, value in deal.items() if name != "stated_reason"}}

    def _settle(self, claims: list[InboxClaim], end: End, *, error: str | None) -> None:
        at = self.clock()
        with self.database.writing() as session:
            for claim in claims:
                inbox.settle_event(session, claim, end, at=at, error=error)
                _log.info("event_settled", deal_id=claim.deal_id, end=end)
            session.commit()


def _take(claim: InboxClaim, deal: Deal, intake: Intake) -> tuple[End, str | None]:
    """Gives what became of one event, and the cause where that is no answer."""
    try:
        intake.take_deal(deal, batch_id=claim.batch_id)
    except Exception as error:  # noqa: BLE001 (one deal must not take its neighbours down)
        return _end_of(error)
    return "taken", None


def _end_of(error: Exception) -> tuple[End, str | None]:
    if is_database_away(error):
        return "away", short_cause(error)
    return ("unreadable" if isinstance(error, InvalidDealError) else "failed"), short_cause(error)
