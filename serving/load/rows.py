"""The two rows of deals that wait: live ones go first, and bulk ones get their turn all the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.load.caller import Caller
from serving.load.rounds import RoundLimits, reads_many

if TYPE_CHECKING:
    from serving.intake import Assessor

# While both wait, one deal of five is a bulk one.
MOST_OVERTAKINGS = 4
_LEAST_CHARS = 100  # what a deal costs beside its text


@dataclass(slots=True, eq=False)
class Ticket:
    """A deal that waits for its assessment.

    Args:
        assessor: The model that its request began with; it reads the deal whatever is put in service meanwhile.
        deal: The deal.
        caller: Who waits.
        joined_s: When it joined, on the line's clock, in seconds.
        answer: What becomes of it.
    """

    assessor: Assessor
    deal: Deal
    caller: Caller
    joined_s: float
    answer: Future[Assessment] = field(default_factory=Future)
    chars: int = 0

    def __post_init__(self) -> None:
        self.chars = _LEAST_CHARS + sum(map(len, self.deal.texts))


class Rows:
    """The rows themselves; whoever calls holds the line's lock."""

    def __init__(self) -> None:
        self._rows: dict[bool, deque[Ticket]] = {False: deque(), True: deque()}
        self._overtaken = 0

    @property
    def lengths(self) -> Mapping[str, int]:
        """How many deals stand in each row."""
        return {"live": len(self._rows[False]), "bulk": len(self._rows[True])}

    def chars_before(self, caller: Caller) -> int:
        """Gives how much text is read before a deal of this caller that joins now, in characters."""
        before = sum(ticket.chars for ticket in self._rows[False])
        return before + sum(ticket.chars for ticket in self._rows[True]) if caller.is_bulk else before

    def add(self, ticket: Ticket) -> None:
        """Puts a deal at the end of its caller's row."""
        self._rows[ticket.caller.is_bulk].append(ticket)

    def drop(self, ticket: Ticket) -> None:
        """Takes a deal out that nobody waits for any more, where it still stands there."""
        row = self._rows[ticket.caller.is_bulk]
        if ticket in row:
            row.remove(ticket)

    def find_next(self) -> Ticket | None:
        """Gives the deal that would be taken next, None where none waits."""
        row = self._next_row()
        return row[0] if row else None

    def fill_a_round(self, limits: RoundLimits) -> bool:
        """Says whether waiting longer could make no larger round."""
        tickets = [*self._rows[False], *self._rows[True]]
        return len(tickets) >= limits.deals or sum(ticket.chars for ticket in tickets) >= limits.chars

    def take(self, limits: RoundLimits) -> list[Ticket]:
        """Gives the deals of the next round, all for one model, and begun: who gives up from now on is too late.

        Bulk deals do not fill up a round with a live one: it would have to wait for them.
        """
        taken: list[Ticket] = []
        aside: list[Ticket] = []
        chars = 0
        while len(taken) < limits.deals and (row := self._next_row(taken)):
            if taken and chars + row[0].chars > limits.chars:
                break
            ticket = row.popleft()
            if taken and ticket.assessor is not taken[0].assessor:
                aside.append(ticket)
            elif _begins(ticket):
                self._note_turn(ticket)
                taken.append(ticket)
                chars += ticket.chars
                if not reads_many(ticket.assessor):
                    break
        for ticket in reversed(aside):
            self._rows[ticket.caller.is_bulk].appendleft(ticket)
        return taken

    def _next_row(self, taken: Sequence[Ticket] = ()) -> deque[Ticket] | None:
        """Gives the row whose turn it is, None where none is or it would hold up the live deals that were taken."""
        live, bulk = self._rows[False], self._rows[True]
        if bulk and self._overtaken >= MOST_OVERTAKINGS:
            return bulk
        if live or any(not ticket.caller.is_bulk for ticket in taken):
            return live or None
        return bulk or None

    def _note_turn(self, ticket: Ticket) -> None:
        if ticket.caller.is_bulk:
            self._overtaken = 0
        elif self._rows[True]:
            self._overtaken += 1


def _begins(ticket: Ticket) -> bool:
    """Says whether somebody still waits for the deal; from then on it is read."""
    if ticket.caller.is_gone:
        ticket.answer.cancel()
    return ticket.answer.set_running_or_notify_cancel()
