"""The monthly loss review: one page that stands alone, with what changed, why, three deals to learn from, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources

from markupsafe import Markup
from sqlalchemy.orm import Session

from lossnlp.taxonomy import Taxonomy
from serving.people.access import Viewer
from serving.rendering import page_environment
from serving.reports.pack_changes import MONTHS, changes_section, read_past
from serving.reports.pack_month import Month
from serving.reports.pack_quotes import enablement_section, product_section
from serving.reports.pack_reasons import leads_section, rivals_section, top_section
from serving.reports.pack_rest import method_section, winbacks_section
from serving.reports.pack_section import Section
from serving.reports.pack_stories import FindDocuments, stories_section, with_documents
from serving.reports.report import Report
from serving.reports.winbacks import WinbackList

ALL_SEEING = Viewer(0, "", "leader")  # who a review is for that no person asks for


@dataclass(frozen=True, slots=True)
class Asked:
    """Which review is wanted.

    Args:
        month: The month.
        team: The sales team; None is all that the viewer sees.
        made_on: The day it is made: win-backs are listed from it on.
    """

    month: Month
    team: str | None
    made_on: date

    @property
    def is_over(self) -> bool:
        """Whether the month is over."""
        return self.made_on > self.month.last


@dataclass(frozen=True, slots=True)
class Pack:
    """A loss review.

    Args:
        asked: What it is about.
        deals: How many deals it counts; None where too few to say anything.
        minimum: Fewest deals that a figure is shown for.
        sections: From first to last.
    """

    asked: Asked
    deals: int | None
    minimum: int
    sections: tuple[Section, ...]


def make_pack(session: Session, viewer: Viewer, asked: Asked, *, taxonomy: Taxonomy, winbacks: WinbackList) -> Pack:
    """Gives the review of a month as a viewer sees it; of a month with few deals only win-backs and method.

    Args:
        session: An open session.
        viewer: Whose deals count.
        asked: Which review is wanted.
        taxonomy: Gives labels and questions.
        winbacks: The win-back list.
    """
    report = Report.of_cut(session, viewer, asked.month.cut(asked.team), taxonomy)
    told = list(_told_sections(report, asked)) if report.is_enough else []
    told.append(winbacks_section(report, winbacks, asked.team, today=asked.made_on))
    sections = (*told, method_section(report, told, asked.month))
    deals = report.scope.deals if report.is_enough else None
    return Pack(asked, deals, report.scope.cut.minimum, sections)


def _told_sections(report: Report, asked: Asked) -> Iterator[Section]:
    trend = Report.of_cut(
        report.session, report.viewer, asked.month.cut(asked.team, months=MONTHS + 1), report.taxonomy
    )
    yield changes_section(report, read_past(report, asked.month, asked.team), is_over=asked.is_over)
    yield top_section(report, trend)
    yield stories_section(report)
    yield rivals_section(report)
    yield leads_section(report)
    yield product_section(report)
    yield enablement_section(report)


def add_documents(pack: Pack, find_documents: FindDocuments) -> Pack:
    """Gives the review with what the documents of the deals it quotes add; ask no database meanwhile.

    Args:
        pack: The review.
        find_documents: Gives the documents behind an assessment; none where they are not at hand. It is asked once for each.
    """
    find = cache(find_documents)
    return replace(pack, sections=tuple(with_documents(one, find) for one in pack.sections))


def render_pack(pack: Pack) -> str:
    """Gives the review as one HTML page that loads nothing from anywhere."""
    return page_environment().get_template("pack/pack.html").render(pack=pack, css=_css())


@cache
def _css() -> Markup:
    text = resources.files("serving").joinpath("static", "pack.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 (our own file)
