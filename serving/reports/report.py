"""One report being made: who looks, what counts, and what several of its tables share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import Taxonomy
from serving.people.access import Viewer
from serving.reports.cuts import Cut
from serving.reports.differences import count_reps
from serving.reports.gaps import Gaps, read_gaps
from serving.reports.intervals import Share, Tally, money_share_of, share_of
from serving.reports.scope import Scope
from serving.reports.shares import Losses, read_losses
from serving.reports.sheets import Cell, Held
from serving.tables import LossRow


@dataclass(frozen=True)
class Report:
    """A report being made.

    Args:
        session: An open session.
        viewer: Who looks.
        losses: What counts, by reason, period and ending.
        taxonomy: Gives labels.
    """

    session: Session
    viewer: Viewer
    losses: Losses
    taxonomy: Taxonomy

    @classmethod
    def of_cut(cls, session: Session, viewer: Viewer, cut: Cut, taxonomy: Taxonomy) -> Report:
        """Gives the report on a cut."""
        return cls(session, viewer, read_losses(session, viewer, cut), taxonomy)

    @property
    def scope(self) -> Scope:
        """What counts, and what is left out."""
        return self.losses.scope

    @cached_property
    def gaps(self) -> Gaps:
        """The gaps of what counts; read once."""
        return read_gaps(self.session, self.scope)

    @cached_property
    def is_one_rep(self) -> bool:
        """Whether all that counts are one rep's deals: what is then said of a team would be said of them."""
        return count_reps(self.session, self.scope) == 1

    @cached_property
    def list_notes(self) -> tuple[str, ...]:
        """One sentence for each older list that some deals still count in: what they are in the newest only a person can say."""
        query = select(LossRow.open_version, func.count()).where(*self.scope.where, LossRow.open_version.is_not(None))
        rows = self.session.execute(query.group_by(LossRow.open_version).order_by(LossRow.open_version))
        return tuple(
            f"Deals that count under a reason of version {version} of the list, because only a person can say which one it is "
            f"now: {deals:,}."
            for version, deals in rows
        )

    @property
    def is_enough(self) -> bool:
        """Says whether anything is shown at all."""
        return self.scope.is_enough(self.scope.deals)

    @property
    def too_few(self) -> Held:
        """What stands in place of a figure about too few deals."""
        return Held(f"fewer than {self.scope.cut.minimum} deals")

    def share(self, count: int, whole: int) -> Share | Held:
        """Gives a share of deals, held back where they are too few."""
        return share_of(count, whole) if self.scope.is_enough(whole) else self.too_few

    def money(self, tally: Tally, whole: Tally) -> tuple[Cell, Cell]:
        """Gives the money of some deals and its share in all, both held back where it would tell what few deals were worth."""
        if 0 < tally.deals < self.scope.cut.minimum:
            return self.too_few, self.too_few
        return (tally.amount if whole.priced else None), money_share_of(tally, whole)

    def label(self, code: str) -> str:
        """Gives a reason for people; one of an older taxonomy as its code."""
        labels = {reason.code: reason.label for reason in self.taxonomy.reasons}
        return labels.get(code, code)

    def labels(self, codes: Iterable[str]) -> str:
        """Gives reasons for people, with commas between them."""
        return ", ".join(self.label(code) for code in codes)

    def page_of(self, code: str) -> str:
        """Gives the address of a reason's page for the same cut."""
        return f"/losses/reasons/{code}?{self.scope.cut.query}"

    def period_label(self, period: date) -> str:
        """Gives a period for people: a month, a quarter or a year, as the window is long."""
        periods = self.scope.cut.periods
        if len(periods) < 2 or (periods[1] - periods[0]).days < 32:
            return f"{period:%Y-%m}"
        return f"{period:%Y}" if (periods[1] - periods[0]).days > 300 else f"{period:%Y} Q{period.month // 3 + 1}"
