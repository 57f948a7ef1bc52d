"""Tells of win-backs that are due: a task in the CRM, a signed call to a company's own address; each once a deal and due date."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Any, Literal, Protocol

import httpx2
import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from lossnlp.errors import LossNlpError
from serving.crm.http import CrmCallError
from serving.crm.protocol import Crm, CrmError
from serving.crm.signed_doors import sign
from serving.crm.tasks import TaskCrm
from serving.logs import describe_error
from serving.loops import repeat
from serving.reports.winback_entries import Winback
from serving.reports.winback_exports import describe, summary_of
from serving.reports.winbacks import Wanted, WinbackList, drop_reopened
from serving.store import Database, now
from serving.tables import WinbackNoticeRow

Outcome = Literal["sent", "planned", "known", "failed", "unknown"]
_DAY_S = 24 * 3600.0
_LATE_DAYS = 7  # a worker that stood still catches up this far; what is older would come as a flood
_TIMEOUT_S = 10.0
_log = structlog.get_logger(__name__)


class HandOverError(LossNlpError):
    """Says that a notice was not handed over.

    Args:
        message: Short cause, without any text of a deal.
        is_certain: Whether it is known not to have arrived, or does no harm when it comes twice.
    """

    code = "not_handed_over"

    def __init__(self, message: str, *, is_certain: bool = True) -> None:
        super().__init__(message)
        self.is_certain = is_certain


class Channel(Protocol):
    """Where notices go."""

    @property
    def name(self) -> str:
        """What it is called among the notices that went out, at most 20 characters."""

    def hand_over(self, winback: Winback) -> None:
        """Hands a win-back over.

        Raises:
            HandOverError: It was not taken, or nobody knows.
        """


@dataclass(frozen=True, slots=True)
class CrmTasks:
    """Tasks in the CRM, on the deal itself.

    Args:
        crm: The connected CRM.
    """

    crm: TaskCrm
    name: str = "task"

    def hand_over(self, winback: Winback) -> None:
        """Adds a task that is due on the day to call."""
        text = "\n".join(describe(winback))
        try:
            self.crm.add_task(winback.loss.deal_id, winback.due_on, subject=summary_of(winback), text=text)
        except CrmError as error:
            is_certain = error.is_certain if isinstance(error, CrmCallError) else True
            raise HandOverError(error.message, is_certain=is_certain) from None


@dataclass(frozen=True, slots=True)
class SignedCalls:
    """Calls to one address, signed like those at our own door for any CRM.

    The body names the notice by its deal and day, so that a receiver knows one that comes twice after an answer was lost.

    Args:
        client: Makes the calls; follows no redirect.
        url: The address.
        secret: Signs the raw body.
        clock: Gives the moment; tests hand in their own.
    """

    client: httpx2.Client
    url: str
    secret: str
    clock: Callable[[], datetime] = now
    name: str = "webhook"

    def hand_over(self, winback: Winback) -> None:
        """Posts the win-back as JSON; any answer of 200 to 299 takes it."""
        body = json.dumps(reminder_of(winback), separators=(",", ":")).encode("ascii")
        headers = {"Content-Type": "application/json", **sign(body, secret=self.secret, at=self.clock())}
        try:
            answer = self.client.post(
                self.url, content=body, headers=headers, timeout=_TIMEOUT_S, follow_redirects=False
            )
        except httpx2.HTTPError as error:
            raise HandOverError(f"The address for reminders gave no answer ({type(error).__name__}).") from None
        if not answer.is_success:
            raise HandOverError(f"The address for reminders answered {answer.status_code}.")


def reminder_of(winback: Winback) -> dict[str, Any]:
    """Gives what a reminder says; it quotes no words of the deal."""
    loss = winback.loss
    return {
        "id": f"{loss.deal_id} {winback.due_on}",
        "event": "winback.due",
        "due_on": str(winback.due_on),
        "date_from": "stated" if winback.because is None else "window",
        "way_back": loss.winback,
        "deal": {name: getattr(loss, name) for name in ("account", "owner", "team")} | {"id": loss.deal_id},
        "lost_on": str(loss.lost_on),
        "reason": {"code": loss.primary_reason, "label": winback.reason},
        "gaps": list(winback.gaps),
        "opener": winback.opener,
    }


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of one notice.

    Args:
        deal_id: The deal.
        due_on: Its day, YYYY-MM-DD.
        channel: Where it went.
        outcome: `sent`, `planned`, `known` (it had gone out before), `failed` (tried again next time) or `unknown` (not tried again).
        error: Short cause of a failure.
    """

    deal_id: str
    due_on: str
    channel: str
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reminders:
    """Tells of what is due.

    Args:
        database: Where the list stands.
        winbacks: The list.
        channels: Where notices go.
        crm: The connected CRM, which is asked first whether a deal is still lost; None asks nobody.
        clock: Gives the moment; tests hand in their own.
    """

    database: Database
    winbacks: WinbackList
    channels: Sequence[Channel]
    crm: Crm | None = None
    clock: Callable[[], datetime] = now

    def run(self, stop: Event, *, days: int = 7) -> None:
        """Reminds once a day until `stop` is set; a fault is logged and tried again the next day."""

        def remind() -> bool:
            self.remind(days)
            return False  # so that the loop waits

        repeat(remind, stop, wait_s=_DAY_S, name="winback_reminders")

    def remind(self, days: int = 7, *, plan: bool = False) -> list[Notice]:
        """Gives what became of the notices of all that is due soon.

        Args:
            days: How many days ahead counts as soon, 0 or more.
            plan: Whether to send nothing and only say what would be sent.

        Raises:
            CrmError: The CRM cannot say which deals are still lost; nothing was sent.
        """
        if self.crm is not None and not plan:
            drop_reopened(self.crm, self.database, self.winbacks, clock=self.clock)
        today = self.clock().date()
        soon = Wanted(due_from=today - timedelta(days=_LATE_DAYS), due_until=today + timedelta(days=days))
        with self.database.reading() as session:
            due = list(self.winbacks.find(session, soon))
            query = select(WinbackNoticeRow.deal_id, WinbackNoticeRow.due_on, WinbackNoticeRow.channel)
            known = {tuple(row) for row in session.execute(query.where(WinbackNoticeRow.due_on >= soon.due_from))}
        return [
            self._notice(winback, channel, plan=plan)
            for winback in due
            for channel in self.channels
            if (winback.loss.deal_id, winback.due_on, channel.name) not in known
        ]

    def _notice(self, winback: Winback, channel: Channel, *, plan: bool) -> Notice:
        outcome: Outcome = "planned"
        error = ""
        if not plan:
            outcome, error = self._send_once(winback, channel)
            _log.info("winback_noticed", deal_id=winback.loss.deal_id, channel=channel.name, outcome=outcome)
        return Notice(winback.loss.deal_id, str(winback.due_on), channel.name, outcome, error)

    def _send_once(self, winback: Winback, channel: Channel) -> tuple[Outcome, str]:
        """Gives the outcome; what is sent is written down first, so that two runs at once send it once."""
        if not self._claim(winback, channel):
            return "known", ""
        try:
            channel.hand_over(winback)
        except HandOverError as error:
            _log.warning("winback_notice_failed", channel=channel.name, **describe_error(error))
            if not error.is_certain:
                return "unknown", error.message
            self._release(winback, channel)
            return "failed", error.message
        return "sent", ""

    def _claim(self, winback: Winback, channel: Channel) -> bool:
        row = WinbackNoticeRow(
            deal_id=winback.loss.deal_id, due_on=winback.due_on, channel=channel.name, sent_at=self.clock()
        )
        with suppress(IntegrityError), self.database.writing() as session:
            session.add(row)
            session.commit()
            return True
        return False

    def _release(self, winback: Winback, channel: Channel) -> None:
        held = delete(WinbackNoticeRow).where(
            WinbackNoticeRow.deal_id == winback.loss.deal_id,
            WinbackNoticeRow.due_on == winback.due_on,
            WinbackNoticeRow.channel == channel.name,
        )
        with self.database.writing() as session:
            session.execute(held)
            session.commit()
