"""The sections of a loss review that count: reasons, rivals, and what leads became."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import and_, case, select
from sqlalchemy.orm import aliased

from lossnlp.questions import find_stage_group
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS
from serving.rendering import percent
from serving.reports.dimensions import DIMENSIONS
from serving.reports.endings import DEAD, LABELS, ending_of_loss
from serving.reports.intervals import Tally, share_of
from serving.reports.loss_charts import trend_chart
from serving.reports.loss_sheets import endings_sheet, reasons_sheet, trend_sheet
from serving.reports.pack_section import Section
from serving.reports.plots import MOST_LINES, Bar, Words, draw_bars
from serving.reports.report import Report
from serving.reports.shares import in_one_currency, read_tallies
from serving.reports.sheets import Cell, Column, Row, Sheet
from serving.tables import LossRivalRow, LossRow

_TOP = 5
_MOST_RIVALS, _MOST_GROUPS, _MOST_WHY = 10, 12, 2
_NO_CAUSES = (NO_CAUSE, NOT_A_LOSS)
_UNQUALIFIED = "unqualified"
_SOURCES = ("segment", "region", "product")
_NOTHING = Tally()


def top_section(report: Report, trend: Report) -> Section:
    """Gives the five most frequent reasons with share and money, and how they move.

    Args:
        report: The report on the month.
        trend: The same with the months before it.
    """
    whole, codes = report.losses.whole, _causes(report)[:_TOP]
    every = reasons_sheet(report)
    by_label = {row.cells[0]: row for row in every.rows}
    rows = tuple(replace(by_label[report.label(code)], href=None) for code in codes)
    sheet = Sheet("top-reasons", "The five most frequent primary reasons", every.columns, rows)
    shares = [(report.label(code), share_of(report.losses.by_reason[code].deals, whole.deals)) for code in codes]
    bars = tuple(Bar(label, share.value, share.low, share.high) for label, share in shares)
    said = "; ".join(f"{label} {percent(share.value)}" for label, share in shares)
    apart = {code: report.losses.by_reason.get(code, _NOTHING).deals for code in _NO_CAUSES}
    points = tuple(
        f"{report.label(code)}, which is no cause: {deals:,} of {whole.deals:,} deals."
        for code, deals in apart.items()
        if report.scope.is_enough(deals)
    )
    charts = [draw_bars(bars, Words("Shares of the five most frequent primary reasons", said))] if bars else []
    if (drawn := trend_chart(trend)) is not None:
        charts.append(drawn)
    moves = replace(trend_sheet(trend, most=MOST_LINES), caption="The most frequent reasons month by month")
    return Section("top-five", "Top five reasons", points, tuple(charts), (sheet, moves))


def _causes(report: Report) -> list[str]:
    return [code for code in report.losses.by_reason if code not in _NO_CAUSES]


def rivals_section(report: Report) -> Section:
    """Gives to whom deals were lost and why, and where nobody won because the buyer stayed as they were."""
    by_ending, deals = report.losses.by_ending, report.losses.whole.deals
    taken, dead = by_ending.get("competitive", _NOTHING).deals, sum(by_ending.get(one, _NOTHING).deals for one in DEAD)
    points = (
        f"Somebody else won {taken:,} of {deals:,} deals ({percent(taken / deals)}).",
        f"Nobody won {dead:,} of them ({percent(dead / deals)}): the buyer stayed as they were, for now or for good.",
    )
    endings = endings_sheet(report)
    return Section("competitors", "Competitors", points, sheets=(endings, _rivals_sheet(report), _why_sheet(report)))


@dataclass(frozen=True, slots=True)
class _Rival:
    """The deals that name a rival: all, those it won or kept, those nobody won, and why it won by reason."""

    named: Tally
    took: Tally
    stayed: int
    why: Mapping[str, int]


def _read_rivals(report: Report) -> dict[str, _Rival]:
    """Gives the rivals that deals name, those that took most deals first."""
    rival, ending = aliased(LossRivalRow), ending_of_loss()
    won = case((and_(LossRow.rival == rival.name, ending == "competitive"), 1), else_=0)
    where = (*report.scope.where, rival.deal_id == LossRow.deal_id)
    axes = (rival.name, won, ending, LossRow.primary_reason, LossRow.currency)
    cells = in_one_currency(read_tallies(report.session, where, *axes), report.scope.currency)
    by_name: dict[str, list[tuple[bool, str, str, Tally]]] = defaultdict(list)
    for (name, has_won, ended, code), tally in cells.items():
        by_name[name].append((bool(has_won), ended, code, tally))
    found = {name: _rival_of(rows) for name, rows in by_name.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].took.deals, -item[1].named.deals, item[0])))


def _rival_of(rows: Sequence[tuple[bool, str, str, Tally]]) -> _Rival:
    why: dict[str, int] = defaultdict(int)
    for has_won, _, code, tally in rows:
        if has_won:
            why[code] += tally.deals
    return _Rival(
        named=sum((tally for *_, tally in rows), _NOTHING),
        took=sum((tally for has_won, *_, tally in rows if has_won), _NOTHING),
        stayed=sum(tally.deals for _, ended, _, tally in rows if ended in DEAD),
        why=dict(sorted(why.items(), key=lambda item: (-item[1], item[0]))),
    )


def _rivals_sheet(report: Report) -> Sheet:
    columns = (
        Column("rival", "Vendor"),
        Column("named", "Named in", "deals"),
        Column("took", "Won or kept the buyer", "share"),
        Column("money", f"Money it won, {report.scope.currency or ''}".rstrip(", "), "money"),
        Column("stayed", "Nobody won", "share"),
        Column("why", "Primary reasons where it won"),
    )
    rivals = _read_rivals(report)
    shown = [(name, rival) for name, rival in rivals.items() if report.scope.is_enough(rival.named.deals)]
    rows = tuple(_rival_row(report, name, rival) for name, rival in shown[:_MOST_RIVALS])
    notes = [
        "Names are counted as written. “Nobody won” are deals that ended without a winner: the buyer stayed as they were."
    ]
    if rivals and not rows:
        rows = (Row(("All names", *(report.too_few,) * 5)),)
    elif rest := len(rivals) - len(rows):
        notes.append(
            f"{rest:,} names are not shown: each in fewer than {report.scope.cut.minimum} deals, or below these."
        )
    return Sheet("rivals", "Who was in the deals, and how they ended", columns, rows, tuple(notes))


def _rival_row(report: Report, name: str, rival: _Rival) -> Row:
    why = report.labels(list(rival.why)[:_MOST_WHY]) if report.scope.is_enough(rival.took.deals) else report.too_few
    took, stayed = (report.share(deals, rival.named.deals) for deals in (rival.took.deals, rival.stayed))
    money: Cell = rival.took.amount if report.scope.is_enough(rival.took.deals) else report.too_few
    return Row((name, rival.named.deals, took, money, stayed, why))


def _why_sheet(report: Report) -> Sheet:
    """Gives why buyers chose somebody else: the primary reasons of these deals."""
    reasons: dict[str, Tally] = defaultdict(Tally)
    for (code, _, ending), tally in report.losses.cells.items():
        if ending == "competitive":
            reasons[code] += tally
    whole = sum(reasons.values(), _NOTHING)
    rows: tuple[Row, ...] = (Row(("All reasons", *(report.too_few,) * 4)),)
    if report.scope.is_enough(whole.deals):
        order = sorted(reasons.items(), key=lambda item: (-item[1].deals, item[0]))[:_TOP]
        rows = tuple(Row(_money_cells(report, report.label(code), tally, whole)) for code, tally in order)
    columns = (Column("reason", "Primary reason"), *money_columns(report, "Share of these"))
    return Sheet("why", f"{LABELS['competitive']}: why", columns, rows)


def money_columns(report: Report, share: str) -> tuple[Column, ...]:
    """Gives the columns of deals and money, with their shares."""
    currency = report.scope.currency
    return (
        Column("deals", "Deals", "deals"),
        Column("share", share, "share"),
        Column("money", f"Money, {currency}" if currency else "Money", "money"),
        Column("money_share", "Share of money", "share"),
    )


def _money_cells(report: Report, label: str, part: Tally, whole: Tally) -> tuple[Cell, ...]:
    return label, part.deals, report.share(part.deals, whole.deals), *report.money(part, whole)


def leads_section(report: Report) -> Section:
    """Gives for marketing where losses began: deals that were never real opportunities, and those lost at an early stage."""
    stages = report.session.scalars(
        select(LossRow.stage).where(*report.scope.where, LossRow.stage.is_not(None)).distinct()
    )
    early = sorted(stage for stage in stages if stage and find_stage_group(stage) == "early")
    sheets = tuple(_leads_sheet(report, source, early) for source in _SOURCES)
    unqualified, deals = report.losses.by_reason.get(_UNQUALIFIED, _NOTHING), report.losses.whole.deals
    share = share_of(unqualified.deals, deals)
    said = f"{unqualified.deals:,} of {deals:,} deals were no real opportunity ({percent(share.value)}, between {percent(share.low)}"
    counted = f"As early count: {', '.join(early)}." if early else "No stage has a name that tells it is an early one."
    note = "Shares at an early stage are of the deals whose stage is known. Which campaign a lead came from is not among the fields."
    return Section(
        "leads", "Lead quality", (f"{said} and {percent(share.high)}).", counted), sheets=sheets, notes=(note,)
    )


def _leads_sheet(report: Report, source: str, early: Sequence[str]) -> Sheet:
    dimension = DIMENSIONS[source]
    stage = case((LossRow.stage.is_(None), "unknown"), (LossRow.stage.in_(early), "early"), else_="later")
    is_unqualified = case((LossRow.primary_reason == _UNQUALIFIED, 1), else_=0)
    cells = read_tallies(report.session, report.scope.where, dimension.column(), is_unqualified, stage)
    rows = [(value, bool(never), at, tally.deals) for (value, never, at), tally in cells.items()]
    groups = [_lead_group(value, list(found)) for value, found in groupby(sorted(rows), key=lambda row: row[0])]
    groups.sort(key=lambda group: (-group.deals, group.value))
    columns = (
        Column(source, dimension.label),
        Column("deals", "Deals", "deals"),
        Column("unqualified", "No real opportunity", "share"),
        Column("early", "Lost at an early stage", "share"),
    )
    shown = tuple(Row(tuple(_lead_cells(report, group, knows_early=bool(early)))) for group in groups[:_MOST_GROUPS])
    return Sheet(f"leads-{source}", f"By {dimension.label.lower()}", columns, shown)


@dataclass(frozen=True, slots=True)
class _Leads:
    """Losses of one source: all, never real, at an early stage, at any known stage."""

    value: str
    deals: int
    unqualified: int
    early: int
    staged: int


def _lead_group(value: str, rows: Sequence[tuple[str, bool, str, int]]) -> _Leads:
    return _Leads(
        value,
        deals=sum(deals for *_, deals in rows),
        unqualified=sum(deals for _, never, _, deals in rows if never),
        early=sum(deals for *_, at, deals in rows if at == "early"),
        staged=sum(deals for *_, at, deals in rows if at != "unknown"),
    )


def _lead_cells(report: Report, group: _Leads, *, knows_early: bool) -> Iterator[Cell]:
    yield group.value
    if not report.scope.is_enough(group.deals):
        yield from (report.too_few,) * 3
        return
    yield group.deals
    yield report.share(group.unqualified, group.deals)
    yield report.share(group.early, group.staged) if knows_early else None
