"""A classifier that reads many deals in one call and can be held up, and a line that it holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.load.caller import Caller
from serving.load.line import Line
from serving.load.rounds import RoundLimits
from serving.load.rows import Ticket
from tests.serving.conftest import KeywordAssessor

PLUG = "plug"


class RoundAssessor(KeywordAssessor):
    """Reads many deals in one call and remembers the rounds; one that holds the deal `plug` stands still until it may go on."""

    def __init__(self, before_answer: Callable[[], object] = lambda: None) -> None:
        super().__init__(before_answer)
        self.rounds: list[list[str]] = []
        self.is_reading, self.may_go_on = Event(), Event()
        self._is_within_round = False

    def assess_many(self, deals: Sequence[Deal], /) -> list[Assessment]:
        self.rounds.append([deal.id for deal in deals])
        self._is_within_round = True
        try:
            return [self.assess(deal) for deal in deals]
        finally:
            self._is_within_round = False

    def assess(self, deal: Deal, /) -> Assessment:
        if not self._is_within_round:
            self.rounds.append([deal.id])
        if deal.id == PLUG:
            self.is_reading.set()
            assert self.may_go_on.wait(30)
        return super().assess(deal)


class SecondsClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


class HeldLine:
    """A line whose only reader is held by a deal, so that what joins stands in it until `go_on`."""

    def __init__(self, limits: RoundLimits, clock: SecondsClock) -> None:
        self.assessor = RoundAssessor()
        self.line = Line(limits, clock=clock)
        self.clock = clock
        self.tickets = [self.join(PLUG)]
        assert self.assessor.is_reading.wait(30)

    def join(self, deal_id: str, text: str = "the price was too high", *, caller: Caller | None = None) -> Ticket:
        return self.line.join(self.assessor, deal_of(deal_id, text), caller or Caller())

    def go_on(self) -> list[list[str]]:
        """Gives the rounds in which what stood there was read."""
        self.assessor.may_go_on.set()
        self.line.close()
        return self.assessor.rounds[1:]


HoldLine = Callable[..., HeldLine]


def deal_of(deal_id: str, text: str = "the price was too high") -> Deal:
    return Deal.from_request({"id": deal_id, "text": text})


@pytest.fixture
def database_url(tmp_path: Path, migrated_file: Path) -> str:
    """A migrated SQLite file: what happens in the line is the same over any database."""
    shutil.copy(migrated_file, tmp_path / "line.sqlite3")
    return f"sqlite:///{tmp_path}/line.sqlite3"


@pytest.fixture
def seconds() -> SecondsClock:
    return SecondsClock()


@pytest.fixture
def hold_line(seconds: SecondsClock) -> Iterator[HoldLine]:
    held: list[HeldLine] = []

    def hold(*, deals: int = 16, chars: int = 65_536) -> HeldLine:
        held.append(HeldLine(RoundLimits(deals, chars, window_s=0, at_once=1), seconds))
        return held[-1]

    yield hold
    for one in held:
        one.assessor.may_go_on.set()
