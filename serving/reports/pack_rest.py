"""The last sections of a loss review: whom to call back soon, and how the figures came about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import and_, case, func, select

from serving.people.access import sees_loss
from serving.rendering import percent
from serving.reports.correction import is_drawn
from serving.reports.differences import count_reps
from serving.reports.intervals import share_of
from serving.reports.loss_sheets import corrected_sheet
from serving.reports.pack_month import Month
from serving.reports.pack_section import Section
from serving.reports.report import Report
from serving.reports.sheets import Column, Row, Sheet
from serving.reports.winback_entries import Winback
from serving.reports.winbacks import Wanted, WinbackList
from serving.review.verdict import JUDGEMENTS
from serving.tables import LossRow, VerdictRow

DAYS = 90
_MOST_WINBACKS = 15
_NAMES = (
    "Names of people who speak in a deal, of its owner and of its account are taken out of quotes. Somebody who is only talked about "
    "may still be named there; read quotes before you pass them on."
)
_NO_REPS = "No figure is given by rep, and no two people are set beside each other."
_ONE_REP = "All deals here are one rep's: go through the figures with that rep."


def winbacks_section(report: Report, winbacks: WinbackList, team: str | None, *, today: date) -> Section:
    """Gives the lost buyers that are to be called back soon; which deals they are stands in the win-back list.

    No row names its deal: beside a story that is told without names it would tell whose it is.

    Args:
        report: The report being made.
        winbacks: The list.
        team: The sales team; None is all.
        today: The first of the 90 days.
    """
    wanted = Wanted(due_from=today, due_until=today + timedelta(days=DAYS), team=team)
    visible = sees_loss(report.viewer)
    count = winbacks.count(report.session, wanted, visible=visible)
    soonest = winbacks.find(report.session, wanted, visible=visible, page=slice(0, _MOST_WINBACKS))
    rows = tuple(_winback_row(winback) for winback in soonest)
    columns = (
        Column("due_on", "Call on"),
        Column("reason", "Reason"),
        Column("kind", "Kind of deal"),
        Column("date_from", "The day comes from"),
    )
    sheet = Sheet("winbacks-due", "The soonest", columns, rows)
    point = f"{count:,} lost {'buyer is' if count == 1 else 'buyers are'} to be called back from {today} to {wanted.due_until}."
    note = "Accounts, last words and drafts to open with stand in the win-back list, for those who may see the deals."
    return Section(
        "winbacks", f"Win-backs due within {DAYS} days", (point,), sheets=(sheet,) if rows else (), notes=(note,)
    )


def _winback_row(winback: Winback) -> Row:
    loss = winback.loss
    kind = ", ".join(part for part in (loss.segment, loss.product) if part)
    return Row(
        (
            str(winback.due_on),
            winback.reason,
            kind or None,
            "the texts" if winback.because is None else "the reason",
        )
    )


def method_section(report: Report, sections: Sequence[Section], month: Month) -> Section:
    """Gives how many deals there are, how many of them people have judged, what intervals mean and what was held back.

    Args:
        report: The report on the month.
        sections: All other sections.
        month: The month.
    """
    points = [
        f"Counted are the deals closed as lost from {month.first} to {month.last}: {_count(report)}.",
        *_judged_points(report),
        *_money_points(report),
        *(report.list_notes if report.is_enough else ()),
        "Ranges are 95 % intervals: for shares of deals Wilson's, for shares of money those of a ratio, for numbers of deals Byar's.",
        *_held_points(report, sections),
        _NAMES,
        _ONE_REP if count_reps(report.session, report.scope) == 1 else _NO_REPS,
    ]
    return Section(
        "method", "How this came about", tuple(points), sheets=(corrected_sheet(report),) if report.is_enough else ()
    )


def _count(report: Report) -> str:
    return f"{report.scope.deals:,}" if report.is_enough else str(report.too_few.because)


def _judged_points(report: Report) -> list[str]:
    """Gives what people have looked at, and how often the model's primary reason held there."""
    if not report.is_enough:
        return []
    judged, drawn, newest, held = _read_judged(report)
    points = [
        f"People have judged {judged:,} of them ({percent(judged / report.scope.deals, 1)}), {drawn:,} as a random sample."
    ]
    if report.scope.is_enough(newest):
        share = share_of(held, newest)
        found = f"{percent(share.value)}, between {percent(share.low)} and {percent(share.high)}"
        points.append(
            f"In {held:,} of the {newest:,} judged deals that were not read anew since the model's primary reason held ({found})."
        )
    return points


def _read_judged(report: Report) -> tuple[int, int, int, int]:
    """Gives how many deals are judged, drawn at random among them, judged on their newest reading, and of these held."""
    on_newest = VerdictRow.assessment_id == LossRow.assessment_id
    is_held = and_(on_newest, LossRow.read_reason == LossRow.primary_reason)
    drawn_ones = func.count(case((is_drawn(VerdictRow.assessment_id), 1)))
    query = select(func.count(), drawn_ones, func.count(case((on_newest, 1))), func.count(case((is_held, 1))))
    said = and_(VerdictRow.id == LossRow.verdict_id, VerdictRow.kind.in_(JUDGEMENTS))
    query = query.select_from(LossRow).join(VerdictRow, said).where(*report.scope.where)
    judged, drawn, newest, held = report.session.execute(query).one()
    return judged, drawn, newest, held


def _money_points(report: Report) -> list[str]:
    scope = report.scope
    if not report.is_enough:
        return []
    said = f"Money counts {scope.priced:,} of them{f', in {scope.currency}' if scope.currency else ''}"
    left_out = [f"{scope.without_amount:,} without an amount"] if scope.without_amount else []
    left_out += [f"{scope.other_currency:,} in another currency"] if scope.other_currency else []
    models = report.session.scalars(
        select(LossRow.model_version).where(*scope.where).distinct().order_by(LossRow.model_version)
    )
    return [
        f"{said}; left out are {' and '.join(left_out)}." if left_out else f"{said}.",
        f"Read by the model {', '.join(models)} with the reasons of version {report.taxonomy.version}.",
    ]


def _held_points(report: Report, sections: Sequence[Section]) -> list[str]:
    least = report.scope.cut.minimum
    if not report.is_enough:
        return [f"Figures, quotes and stories are held back: fewer than {least} deals tell chance, and who they are."]
    held = sum(section.held_back for section in sections)
    return [f"Figures about fewer than {least} deals are held back: {held:,} in this review."]
