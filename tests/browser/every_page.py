"""The pages that there are, each with something to show, and who looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select

from serving.people.accounts import find_person
from serving.review.said import Said
from serving.review.verdicts import Bench
from serving.tables import ReviewRow
from tests.browser.served_desk import ServedDesk, email_of
from tests.serving.reports.loss_world import WINDOW, add_losses
from tests.serving.reports.pack_world import read_all

WAITING = "W-1"
N_WAITING, N_LOSSES, N_JUDGED = 30, 400, 5
_WORDS = ("price", "budget", "legal", "timing", "Rostera")


@dataclass(frozen=True)
class Shown:
    """A page: its name in tests, who looks, its address (`{deal}` is a deal that waits), and what stands on it at last."""

    name: str
    person: str | None
    path: str
    settled: str = "main h1"

    def path_on(self, desk: ServedDesk) -> str:
        return self.path.format(deal=desk.review_of(WAITING))


PAGES = (
    Shown("sign-in", None, "/sign-in"),
    Shown("queue", "ana", "/review"),
    Shown("queue of one", "ana", "/review?team=Solo"),
    Shown("queue filtered empty", "ana", "/review?team=Nobody"),
    Shown("deal", "ana", "/review/deals/{deal}", "#crm-title + div p strong"),
    Shown("agreement", "ana", "/review/agreement"),
    Shown("label errors", "ana", "/review/label-errors"),
    Shown("losses", "lea", f"/losses?{WINDOW}&by=team", "#trend svg"),
    Shown("reason", "lea", f"/losses/reasons/price?{WINDOW}", "#trend svg"),
    Shown("gaps", "lea", f"/losses/gaps?{WINDOW}", "#gaps svg"),
    Shown("differences", "lea", f"/losses/differences?{WINDOW}"),
    Shown("corrected", "lea", f"/losses/corrected?{WINDOW}"),
    Shown("top five", "lea", f"/losses/top-five?{WINDOW}"),
    Shown("pack, choice", "lea", "/losses/pack"),
    Shown("pack", "lea", "/losses/pack?month=2026-09", "h1"),
    Shown("told deal", "riley", "/deals/W-0"),
    Shown("own deals", "riley", "/losses/mine"),
    Shown("win-backs", "lea", "/winbacks"),
    Shown("interview", "lea", "/interviews/W-0"),
    Shown("questions", "lea", "/interviews/questions"),
    Shown("drift", "ana", "/drift", "#weeks svg"),
    Shown("people", "ada", "/people"),
    Shown("person", "ada", "/people/1"),
)


def fill(desk: ServedDesk) -> None:
    """Puts losses and deals that wait into an empty desk, so that every page has something to show."""
    with desk.database.writing() as session:
        add_losses(session, N_LOSSES)
        session.flush()
        read_all(session)
        session.commit()
    for number in range(N_WAITING):
        word, team = _WORDS[number % len(_WORDS)], "Solo" if number == 0 else "North"
        text = f"They said {word} 🙂 and the champion left us for the long winter, " * 4
        desk.add_deal(f"W-{number}", text, team=team, owner="Riley Rep", stated_reason="Other", closed_at="2026-09-15")
    for number in range(N_JUDGED):
        desk.add_deal(f"J-{number}", f"They said {_WORDS[number % len(_WORDS)]} and left.", wanted=2)
        _judge_twice(desk, f"J-{number}")
    suspicion = {"id": "W-1", "field": "primary", "given": "price", "suggested": "timing", "quality": 0.1}
    desk.app.state.settings.label_errors.write_text(json.dumps(suspicion) + "\n")


def _judge_twice(desk: ServedDesk, deal_id: str) -> None:
    bench = Bench(desk.app.state.intake.assessor.taxonomy)
    with desk.database.writing() as session:
        assessment_id = session.scalars(select(ReviewRow.assessment_id).where(ReviewRow.deal_id == deal_id)).one()
        for name in ("ana", "ben"):
            person = find_person(session, email_of(name))
            assert person is not None
            bench.give(session, assessment_id, person, Said("accept"))
        session.commit()
