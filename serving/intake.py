"""Takes a deal in: the one path for every deal, whichever door it came through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from lossnlp.redacted_deal import redact_for_rest
from lossnlp.taxonomy import Taxonomy
from serving import outbox, store
from serving.drift.figures import DealFigures, keep_figures, read_figures
from serving.errors import CallerLeftError, OverloadError
from serving.load.caller import Caller
from serving.load.line import Line
from serving.load.rounds import round_limits
from serving.load.rows import Ticket
from serving.logs import describe_error
from serving.metrics import Metrics
from serving.model.in_service import held
from serving.reports.losses import record_loss
from serving.review.seal import Seal, keep_sealed, open_seal
from serving.review.verdicts import HeldReading, find_held_on_content, lock_deal, read_held
from serving.review.waiting import Sampling, move_waiting, open_review
from serving.settings import Settings
from serving.store import Database
from serving.tables import AssessmentRow, WriteBackRow

_TRIES = 3
_log = structlog.get_logger(__name__)


class Assessor(Protocol):
    """What the service needs of a classifier; safe to call from many threads.

    One that reads many deals faster together has `assess_many` too: see `serving.load.rounds.read_round`.
    """

    @property
    def model_version(self) -> str:
        """The version of the model bundle."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that the model knows."""

    def assess(self, deal: Deal, /) -> Assessment:
        """Gives the assessment of one deal."""


class Companion(Protocol):
    """What reads along: it is told of every new answer, and when deals are being classified."""

    def busy(self) -> AbstractContextManager[object]:
        """Gives a context in which a deal is classified, and nothing of the companion's begins."""

    def offer(self, deal: Deal, assessment_id: str, assessment: Assessment) -> None:
        """Tells of an answer that is committed; returns at once and never raises."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A stored answer.

    Args:
        id: Of the assessment.
        answer: The assessment as published.
        is_new: Whether it was made just now.
        write_back: Of an older one the state of its write-back.
        is_past: Whether the deal has counted as another model's answer to the same content since.
    """

    id: str
    answer: dict[str, Any]
    is_new: bool
    write_back: str | None = None
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes deals in.

    Args:
        assessor: The classifier.
        database: Where answers and write-backs are kept.
        metrics: Where deals are counted.
        crm: Name of the CRM that accepted values go to; None queues no write-back.
        sampling: How many deals a person sees that need not be seen.
        seal: Encrypts the documents that are kept; None keeps none.
        redacts: Whether what is kept holds no personal data; who asks first gets it verbatim all the same.
        companion: Reads new deals along, a challenger for one; None where nothing does.
        line: Where deals wait to be classified, and are classified together.
        caller: Who waits for the answers.
        ahead: Deals that stand in the line already, by the digest of their content.
    """

    assessor: Assessor
    database: Database
    metrics: Metrics
    crm: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seal: Seal | None = None
    redacts: bool = False
    companion: Companion | None = None
    line: Line = field(default_factory=Line, repr=False, compare=False)
    caller: Caller = field(default_factory=Caller, repr=False, compare=False)
    ahead: Mapping[str, Ticket] = field(default_factory=dict, repr=False, compare=False)

    def take_deal(self, deal: Deal, *, batch_id: str | None = None) -> Taken:
        """Gives the stored answer for the deal, classifying it if it has not been seen before.

        Same deal id, same content and same model give the same answer with the same id, however often and however
        concurrently it is asked for. Where another model has answered since, as before a rollback, the deal counts as this
        answer again. The answer is committed when this returns, and with it the write-back to send.

        Args:
            deal: The deal.
            batch_id: The backfill that it belongs to; then what has failed or was taken back before is sent again.

        Raises:
            InvalidDealError: Nothing readable stands in its documents.
            OverloadError: It would not be classified before the caller's time is over.
            CallerLeftError: Nobody waits for the answer any more.
        """
        return self.holding_still()._take(deal, batch_id)

    def holding_still(self) -> Intake:
        """Gives the same intake with the model of this moment, which stays whatever is put in service meanwhile."""
        return replace(self, assessor=held(self.assessor))

    def asked_by(self, caller: Caller) -> Intake:
        """Gives the same intake for another caller."""
        return replace(self, caller=caller)

    def reading_ahead(self, deals: Iterable[Deal]) -> Intake:
        """Gives the same intake with these deals in the line already, so that they are classified together while each is taken in turn.

        Those that have an answer do not join; nor do those that come after the caller's time would be over, and taking them says so.
        """
        still, ahead = self.holding_still(), dict[str, Ticket]()
        try:
            for deal in deals:
                digest = content_digest(deal)
                if digest not in ahead and still._find_seen(deal, digest) is None:
                    ahead[digest] = self.line.join(still.assessor, deal, self.caller)
        except (OverloadError, CallerLeftError, SQLAlchemyError):
            pass  # the deal whose turn it is tells of it
        return replace(still, ahead=ahead)

    def _take(self, deal: Deal, batch_id: str | None) -> Taken:
        digest = content_digest(deal)
        taken = self._find_seen(deal, digest) or self._keep(deal, digest, self._read(deal, digest), batch_id=batch_id)
        if taken.is_past:
            self._return_to(taken, batch_id)
        elif not taken.is_new and self.crm is not None and _may_queue(taken.write_back, batch_id):
            self._queue_seen(taken, batch_id)
        self.metrics.count_deal("new" if taken.is_new else "repeat")
        _log.info("deal_taken", deal_id=deal.id, assessment=taken.id, is_new=taken.is_new)
        return taken

    def for_crm(self, crm: str | None) -> Intake:
        """Gives the same intake for another CRM; for None it queues no write-back."""
        return replace(self, crm=crm)

    def _find_seen(self, deal: Deal, digest: str) -> Taken | None:
        version = self.assessor.model_version
        with self.database.reading() as session:
            row = store.find_assessment(session, deal_id=deal.id, content_sha256=digest, model_version=version)
            if row is None:
                return None
            current = store.find_current(session, deal.id)
            is_past = current is not None and current is not row and current.content_sha256 == digest
            state = row.write_back.state if row.write_back else None
            return replace(_taken(row, is_new=False), write_back=state, is_past=is_past)

    def read(self, deal: Deal) -> Assessment:
        """Gives the assessment of a deal and keeps nothing; no database connection is held here.

        Raises:
            InvalidDealError: Nothing readable stands in its documents.
            OverloadError: It would not be classified before the caller's time is over.
            CallerLeftError: Nobody waits for the answer any more.
        """
        return self._read(deal, content_digest(deal))

    def _read(self, deal: Deal, digest: str) -> Assessment:
        try:
            with self._busy():
                ticket = self.ahead.get(digest) or self.line.join(held(self.assessor), deal, self.caller)
                return self.line.get_answer(ticket)
        except (OverloadError, CallerLeftError):
            raise
        except Exception as error:
            _log.warning("deal_failed", deal_id=deal.id, **describe_error(error))
            raise

    def _busy(self) -> AbstractContextManager[object]:
        return self.companion.busy() if self.companion else nullcontext()

    def _queue_seen(self, taken: Taken, batch_id: str | None) -> None:
        """Queues what was answered before a CRM was connected, or planned only; a batch also sends again what has failed or was undone."""
        with self.database.writing() as session:
            row = store.get_assessment(session, taken.id)
            if row.write_back is None:
                assessment = Assessment.model_validate(row.assessment)
                held = read_held(session, row, assessment, self.assessor.taxonomy)
                self._queue(session, row, held, batch_id=batch_id)
            elif _may_queue(row.write_back.state, batch_id) and not _is_overruled(session, row, row.write_back):
                outbox.send_again(row.write_back, batch_id=batch_id)
            session.commit()

    def _return_to(self, taken: Taken, batch_id: str | None) -> None:
        """Makes the deal count as an answer that the model in service has given before; the other model's stays beside it."""
        with self.database.writing() as session:
            row = store.get_assessment(session, taken.id)
            lock_deal(session, row.deal_id)
            held = self._count(session, row, Assessment.model_validate(row.assessment))
            own = next((one for one in row.write_backs if one.verdict_id is None), None)
            if self.crm is not None and held.verdict is None:
                if own is None:
                    outbox.stop_due(session, row.deal_id, crm=self.crm, at=store.now())
                    self._queue(session, row, held, batch_id=batch_id)
                elif not (batch_id and outbox.is_stopped(session, batch_id)):
                    outbox.send_anew(session, own, at=store.now(), batch_id=batch_id)
            session.commit()

    def _count(self, session: Session, row: AssessmentRow, assessment: Assessment) -> HeldReading:
        """Makes the deal count, and wait, as this answer and what a person said of its words have it; gives how it reads."""
        held = read_held(session, row, assessment, self.assessor.taxonomy)
        record_loss(session, row, held.reading, verdict_id=held.verdict_id)
        if held.verdict is None:
            open_review(session, row, assessment, self.sampling)
        else:
            move_waiting(session, row)
        return held

    def _queue(self, session: Session, row: AssessmentRow, held: HeldReading, *, batch_id: str | None) -> None:
        """Queues what the answer offers; one that offers nothing still has to clear what an earlier one left."""
        if self.crm is None or (batch_id and outbox.is_stopped(session, batch_id)):
            return
        planned = held.planned
        if planned or outbox.has_write_back(session, row.deal_id, crm=self.crm):
            outbox.add_write_back(session, row, crm=self.crm, planned=planned, batch_id=batch_id, verdict=held.verdict)

    def _keep(self, deal: Deal, digest: str, assessment: Assessment, *, batch_id: str | None) -> Taken:
        """Gives the stored answer; of twins that arrive together the first makes the row and both give it back."""
        figures = read_figures(deal)  # of long calls it takes a while, and no lock is held for it
        for _ in range(_TRIES - 1):
            try:
                return self._commit(deal, digest, assessment, figures=figures, batch_id=batch_id)
            except IntegrityError:
                if seen := self._find_seen(deal, digest):
                    return seen
        return self._commit(deal, digest, assessment, figures=figures, batch_id=batch_id)

    def _commit(
        self, deal: Deal, digest: str, assessment: Assessment, *, figures: DealFigures, batch_id: str | None
    ) -> Taken:
        filed, kept = redact_for_rest(deal, assessment) if self.redacts else (deal, assessment)
        with self.database.writing() as session:
            row = store.add_assessment(session, filed, content_sha256=digest, assessment=kept)
            held = self._count(session, row, kept)
            keep_figures(session, row, figures)
            if self.seal is not None:
                keep_sealed(session, row, deal, seal=self.seal)
            self._queue(session, row, held, batch_id=batch_id)
            session.commit()
        if self.companion is not None:
            self.companion.offer(deal, row.id, assessment)
        return replace(_taken(row, is_new=True), answer={"id": row.id, **assessment.model_dump(mode="json")})


def open_intake(
    settings: Settings,
    assessor: Assessor,
    database: Database,
    metrics: Metrics,
    *,
    companion: Companion | None = None,
) -> Intake:
    """Gives the intake as the installation has set it: its CRM, its samples, whether texts are kept.

    Args:
        settings: What the installation has set.
        assessor: The classifier.
        database: Where answers and write-backs are kept.
        metrics: Where deals are counted.
        companion: Reads new deals along; None where nothing does.

    Raises:
        ConfigurationError: A key for the texts cannot be used.
    """
    return Intake(
        assessor,
        database,
        metrics,
        crm=settings.crm,
        sampling=Sampling(settings.audit_rate, settings.agreement_rate),
        seal=open_seal(settings),
        redacts=settings.redact,
        companion=companion,
        line=Line(round_limits(settings), counts=metrics.load),
    )


def parse_deal(request: object) -> Deal:
    """Gives the deal of one request, long form or short.

    Raises:
        InvalidDealError: With the dotted path of the first offending field.
    """
    deal = Deal.from_request(request)
    if "\x00" in deal.id:  # PostgreSQL cannot hold it, and no CRM hands out such an id
        field = "deal.id" if isinstance(request, dict) and "deal" in request else "id"
        raise InvalidDealError(f"Field '{field}': should not contain NUL characters.", field=field)
    return deal


def content_digest(deal: Deal) -> str:
    """Gives the SHA-256 of everything that was said about the deal, in hex.

    Fields that are not given take no part, so that a field added to the contract later leaves old digests as they are.
    """
    content = json.dumps(deal.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def _taken(row: AssessmentRow, *, is_new: bool) -> Taken:
    return Taken(id=row.id, answer={"id": row.id, **row.assessment}, is_new=is_new)


def _is_overruled(session: Session, row: AssessmentRow, write_back: WriteBackRow) -> bool:
    """Says whether a person's verdict has stopped the model's own write-back."""
    return write_back.verdict_id is None and find_held_on_content(session, row) is not None


def _may_queue(state: str | None, batch_id: str | None) -> bool:
    """Says whether an answer whose write-back is in this state may be queued: one that has none, or for a batch one that ended badly."""
    return state is None or (batch_id is not None and state in ("failed", "undone"))
