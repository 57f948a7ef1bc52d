"""What waits at this moment and how the last hour went, as the database tells it: of all processes, the worker too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from serving import inbox, outbox
from serving.tables import AttemptRow, PollRow, ReviewRow

_STATES = ("due", "sending", "sent", "failed", "undone")
_INBOX_STATES = ("due", "taking", "taken", "silent", "gone", "unreadable", "failed")
_OUTCOMES = ("sent", "refused", "unknown")
_LAST = timedelta(hours=1)
_MOST_ATTEMPTS = 10_000  # newest that are looked through: the table grows for ever, a scrape must not


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits.

    Args:
        at: The moment.
        write_backs: How many stand in each state.
        write_back_due_at: Since when the longest-waiting one is due, or from when on; None where none waits.
        attempts: Of those to send in the last hour, how many by outcome; what has none yet counts as unknown.
        events: How many events of the inbox stand in each state.
        event_due_at: Since when the longest-waiting one is due.
        reviews: How many assessments wait for a person.
        review_since_at: Since when the first of them.
        polled_at: By CRM, when the newest round of the poller began.
    """

    at: datetime
    write_backs: Mapping[str, int]
    write_back_due_at: datetime | None
    attempts: Mapping[str, int]
    events: Mapping[str, int]
    event_due_at: datetime | None
    reviews: int
    review_since_at: datetime | None
    polled_at: Mapping[str, datetime]


def read_backlog(session: Session, at: datetime) -> Backlog:
    """Gives what waits.

    Args:
        session: For looking.
        at: The moment.
    """
    waiting = select(func.count(), func.min(ReviewRow.created_at)).where(ReviewRow.state == "waiting")
    reviews, since_at = session.execute(waiting).one()
    return Backlog(
        at=at,
        write_backs=outbox.count_by_state(session),
        write_back_due_at=outbox.find_oldest_due(session),
        attempts=_count_attempts(session, at - _LAST),
        events=inbox.count_by_state(session),
        event_due_at=inbox.find_oldest_due(session),
        reviews=reviews,
        review_since_at=since_at,
        polled_at=dict(session.execute(select(PollRow.crm, PollRow.started_at)).all()),
    )


def _count_attempts(session: Session, since_at: datetime) -> dict[str, int]:
    newest = select(AttemptRow.outcome, AttemptRow.started_at).where(AttemptRow.kind == "send")
    recent = newest.order_by(AttemptRow.id.desc()).limit(_MOST_ATTEMPTS).subquery()
    outcome = func.coalesce(recent.c.outcome, "unknown")
    query = select(outcome, func.count()).where(recent.c.started_at >= since_at).group_by(outcome)
    return dict(session.execute(query).all())


def shared_gauge(registry: CollectorRegistry, name: str, words: str, *labels: str) -> Gauge:
    """Gives a gauge of what all processes share: the one that looked last knows best."""
    return Gauge(name, words, labels, registry=registry, multiprocess_mode="mostrecent")


class BacklogGauges:
    """Shows what waits; the process that looked last knows best.

    Args:
        registry: Where it is shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(shared_gauge, registry)
        self._write_backs = gauge("lossnlp_write_backs", "Write-backs by state.", "state")
        self._write_back_s = gauge(
            "lossnlp_write_back_oldest_due_seconds",
            "How long the longest-waiting write-back has been due; 0 when none is.",
        )
        self._attempts = gauge(
            "lossnlp_write_back_attempts_last_hour",
            "Attempts of the last hour to send a write-back, by outcome: sent, refused or unknown.",
            "outcome",
        )
        self._events = gauge("lossnlp_inbox_events", "Events of the inbox by state.", "state")
        self._event_s = gauge(
            "lossnlp_inbox_oldest_due_seconds",
            "How long the longest-waiting event of the inbox has been due; 0 when none is.",
        )
        self._reviews = gauge("lossnlp_reviews_waiting", "Assessments that wait for a person.")
        self._review_s = gauge(
            "lossnlp_review_oldest_seconds", "How long the first of them has waited; 0 when none does."
        )
        self._polled = gauge(
            "lossnlp_polled_at_seconds", "When the newest round of the poller began, as Unix time, by CRM.", "crm"
        )
        self._is_up = gauge("lossnlp_database_up", "Whether the database answered; where it did not, the rest is old.")
        self._look_s = gauge("lossnlp_database_look_seconds", "How long the database took to tell all this.")

    def show(self, backlog: Backlog, *, looked_s: float) -> None:
        """Shows what waits.

        Args:
            backlog: What the database told.
            looked_s: How long it took, in seconds.
        """
        _show_each(self._write_backs, _STATES, backlog.write_backs)
        _show_each(self._attempts, _OUTCOMES, backlog.attempts)
        _show_each(self._events, _INBOX_STATES, backlog.events)
        self._write_back_s.set(_age(backlog.write_back_due_at, backlog.at))
        self._event_s.set(_age(backlog.event_due_at, backlog.at))
        self._reviews.set(backlog.reviews)
        self._review_s.set(_age(backlog.review_since_at, backlog.at))
        for crm, began_at in backlog.polled_at.items():
            self._polled.labels(crm).set(began_at.timestamp())
        self._is_up.set(1)
        self._look_s.set(looked_s)

    def show_away(self) -> None:
        """Shows that the database did not answer."""
        self._is_up.set(0)


def _show_each(gauge: Gauge, names: tuple[str, ...], counts: Mapping[str, int]) -> None:
    for name in names:
        gauge.labels(name).set(counts.get(name, 0))


def _age(since_at: datetime | None, at: datetime) -> float:
    return max(0.0, (at - since_at).total_seconds()) if since_at else 0.0
