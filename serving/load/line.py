"""The line in front of the classifier: what waits is read together, live deals before bulk ones, and nobody waits in vain."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from math import ceil
from threading import Condition
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.errors import CallerLeftError, OverloadError
from serving.load.caller import Caller
from serving.load.counts import LoadCounts
from serving.load.rounds import RoundLimits, read_round, reads_many
from serving.load.rows import Rows, Ticket
from serving.logs import describe_error
from serving.traces import part

if TYPE_CHECKING:
    from serving.intake import Assessor

_REMEMBERED = 0.8  # weight of what was known of the pace before a round
_MOST_RETRY_S = 60
_REFUSALS = {
    "full": "The service has as many requests as it lets in",
    "late": "The answer would come after this request's time is over",
    "expired": "This request's time was over before its deal was read",
}
_log = structlog.get_logger(__name__)


class Line:
    """Reads deals in rounds, in threads of its own that end when nobody waits.

    Args:
        limits: How large rounds are and how many are read side by side.
        counts: Where rounds, waits and refusals are counted; None shows them nowhere.
        clock: Gives seconds that never go back; tests hand in their own.
    """

    def __init__(
        self,
        limits: RoundLimits | None = None,
        *,
        counts: LoadCounts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or RoundLimits()
        self._counts = counts or LoadCounts(CollectorRegistry())
        self._clock = clock
        self._turn = Condition()
        self._rows = Rows()
        self._readers = 0
        self._chars_read = 0  # of the rounds under way
        self._s_per_char = 0.0
        self._pool = ThreadPoolExecutor(self.limits.at_once, thread_name_prefix="lossnlp-round")

    def join(self, assessor: Assessor, deal: Deal, caller: Caller) -> Ticket:
        """Gives the place of a deal in the line; `get_answer` waits for what becomes of it.

        Args:
            assessor: The model that reads it.
            deal: The deal.
            caller: Who waits.

        Raises:
            OverloadError: Its turn would come after the caller's time is over.
            CallerLeftError: The caller has left.
        """
        ticket = Ticket(assessor, deal, caller, self._clock())
        with self._turn:
            self._require_time(caller)
            self._rows.add(ticket)
            self._show()
            if self._readers < self.limits.at_once:
                self._readers += 1
                self._pool.submit(self._read_rounds)
            self._turn.notify_all()  # a round that waits for company may be full now
        caller.await_answer(ticket.answer)
        return ticket

    def get_answer(self, ticket: Ticket) -> Assessment:
        """Gives the assessment of a deal; once its reading has begun the answer is awaited, whatever time is left.

        Raises:
            OverloadError: The caller's time was over before the reading began.
            CallerLeftError: The caller left before it began.
            InvalidDealError: Nothing readable stands in its documents.
        """
        with part("classify", row=ticket.caller.row, chars=ticket.chars):
            return self._await_answer(ticket)

    def _await_answer(self, ticket: Ticket) -> Assessment:
        try:
            return ticket.answer.result(ticket.caller.remaining_s)
        except CancelledError:
            pass
        except TimeoutError:
            if not ticket.answer.cancel():
                return ticket.answer.result()
        with self._turn:
            self._rows.drop(ticket)
            self._show()
        raise self._farewell(ticket.caller)

    def refuse(self, cause: str, caller: Caller) -> OverloadError:
        """Gives the error that turns a caller away, and counts it.

        Args:
            cause: `full`, `late` or `expired`.
            caller: Who is turned away.
        """
        self._counts.count_refusal(cause, caller.row)
        retry_after_s = min(_MOST_RETRY_S, max(1, ceil(self.estimate_wait_s(caller))))
        return OverloadError(f"{_REFUSALS[cause]}; try again in {retry_after_s} s.", retry_after_s=retry_after_s)

    def estimate_wait_s(self, caller: Caller) -> float:
        """Gives how long a deal of this caller that joins now would wait for its turn, in seconds, at the pace of the last rounds."""
        with self._turn:
            before = self._chars_read + self._rows.chars_before(caller)
            return before * self._s_per_char / self.limits.at_once

    def close(self) -> None:
        """Returns when all that waits has been read; nothing joins any more."""
        self._pool.shutdown()

    def _require_time(self, caller: Caller) -> None:
        remaining_s = caller.remaining_s
        if caller.is_gone:
            raise self._farewell(caller)
        if remaining_s is not None and self.estimate_wait_s(caller) > remaining_s:
            raise self.refuse("late", caller)

    def _farewell(self, caller: Caller) -> OverloadError | CallerLeftError:
        if not caller.has_left:
            return self.refuse("expired", caller)
        self._counts.count_refusal("left", caller.row)
        return CallerLeftError("The caller has left.")

    def _read_rounds(self) -> None:
        while tickets := self._next_round():
            began_s = self._clock()
            try:
                self._read(tickets, began_s)
            except Exception as error:  # noqa: BLE001 (a reader outlives whatever a round does)
                _log.error("round_failed", deals=len(tickets), **describe_error(error))
                for ticket in tickets:
                    if not ticket.answer.done():
                        ticket.answer.set_exception(error)
            self._note_pace(tickets, self._clock() - began_s)

    def _next_round(self) -> list[Ticket]:
        """Gives what is read next; nothing ends this reader."""
        with self._turn:
            self._await_company()
            tickets: list[Ticket] = []
            while not tickets and self._rows.find_next():  # all that a round would hold may be given up
                tickets = self._rows.take(self.limits)
            self._show()
            self._chars_read += sum(ticket.chars for ticket in tickets)
            self._readers -= not tickets
            return tickets

    def _await_company(self) -> None:
        first = self._rows.find_next()
        if first is None or not reads_many(first.assessor):
            return
        left_s = first.joined_s + self.limits.window_s - self._clock()
        if left_s > 0:
            self._turn.wait_for(lambda: self._rows.fill_a_round(self.limits), left_s)

    def _read(self, tickets: list[Ticket], began_s: float) -> None:
        for ticket in tickets:
            self._counts.note_wait(ticket.caller.row, began_s - ticket.joined_s)
        with self._counts.time_round(len(tickets)):
            answers = read_round(tickets[0].assessor, [ticket.deal for ticket in tickets])
            for ticket, answer in zip(tickets, answers, strict=True):
                if isinstance(answer, Exception):
                    ticket.answer.set_exception(answer)
                else:
                    ticket.answer.set_result(answer)

    def _note_pace(self, tickets: list[Ticket], seconds: float) -> None:
        chars = sum(ticket.chars for ticket in tickets)
        with self._turn:
            self._chars_read -= chars
            known = _REMEMBERED if self._s_per_char else 0.0
            self._s_per_char = known * self._s_per_char + (1 - known) * seconds / chars

    def _show(self) -> None:
        for row, length in self._rows.lengths.items():
            self._counts.show_row(row, length)
