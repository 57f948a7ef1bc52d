"""The tables that show what to work on: gaps by stage, the reasons beside them, and where two sides tell a loss differently."""

from __future__ import annotations

from collections.abc import Iterator

from lossnlp.taxonomy import Element
from serving.reports import differences
from serving.reports.intervals import Share, share_of
from serving.reports.report import Report
from serving.reports.sheets import Cell, Column, Held, Row, Sheet

_ONE_REP = Held("the deals of one rep alone")
_MOST_READ = 2


def gaps_sheet(report: Report) -> Sheet:
    """Gives the share of deals with a gap by stage at loss and MEDDPICC element."""
    found, elements = report.gaps, report.taxonomy.elements
    rows = []
    for stage, deals in sorted(found.by_stage.items(), key=lambda item: (-item[1], item[0])):
        cells = (report.share(found.of_stage.get((stage, element.code), 0), deals) for element in elements)
        rows.append(Row((stage, deals if report.scope.is_enough(deals) else report.too_few, *cells)))
    columns = (
        Column("stage", "Stage at loss"),
        Column("deals", "Deals", "deals"),
        *(Column(element.code, element.label, "share") for element in elements),
    )
    note = "A gap is one that the texts speak of; what they do not mention is not counted as one."
    return Sheet("gaps", "MEDDPICC gaps by stage at loss", columns, tuple(rows), (note,))


def gap_reasons_sheet(report: Report, *, most: int | None = None) -> Sheet:
    """Gives the primary reasons of deals with a gap in each element, beside those of deals without it.

    Args:
        report: The report being made.
        most: How many reasons an element, the most frequent first; None gives all.
    """
    columns = (
        Column("element", "Gap in"),
        Column("reason", "Primary reason"),
        Column("deals", "Deals with both", "deals"),
        Column("share", "Share of deals with the gap", "share"),
        Column("without", "Share without it", "share"),
        Column("finding", "Beside each other"),
    )
    rows = [row for element in report.taxonomy.elements for row in _reasons_of_gap(report, element, most=most)]
    note = "That a reason comes with a gap does not say that the gap brought it about; it says where to ask."
    return Sheet("gap-reasons", "Reasons that come with a gap", columns, tuple(rows), (note,))


def _reasons_of_gap(report: Report, element: Element, *, most: int | None) -> Iterator[Row]:
    reasons = report.gaps.reasons_of(element.code)
    with_gap = sum(reasons.values())
    if not report.scope.is_enough(with_gap):
        yield Row((element.label, None, *(report.too_few for _ in range(3)), None))
        return
    for code, both in list(reasons.items())[:most]:
        share = share_of(both, with_gap)
        without = report.share(report.gaps.by_reason[code] - both, report.gaps.deals - with_gap)
        yield Row((element.label, report.label(code), both, share, without, compared(share, without)))


def reason_gaps_sheet(report: Report, code: str) -> Sheet:
    """Gives the gaps of deals with one primary reason, beside those of all others."""
    found = report.gaps
    of_reason = found.by_reason.get(code, 0)
    rows = []
    for element in report.taxonomy.elements:
        both = found.of_reason.get((code, element.code), 0)
        elsewhere = sum(found.reasons_of(element.code).values()) - both
        share, other = report.share(both, of_reason), report.share(elsewhere, found.deals - of_reason)
        rows.append(Row((element.label, share, other, compared(share, other))))
    columns = (
        Column("element", "Gap in"),
        Column("share", "For this reason", "share"),
        Column("elsewhere", "For other reasons", "share"),
        Column("finding", "Beside each other"),
    )
    return Sheet("gaps", "Gaps that come with it", columns, tuple(rows))


def compared(share: Share | Held, other: Share | Held) -> str | None:
    """Says which of two shares is larger where their intervals lie apart; that is a strict test, and misses small differences."""
    if isinstance(share, Held) or isinstance(other, Held):
        return None
    if share.low > other.high:
        return "more often"
    return "less often" if share.high < other.low else "no clear difference"


def differences_sheet(report: Report) -> Sheet:
    """Gives per reason how often the rep's reason and the buyer's words differ."""
    found = differences.read_differences(report.session, report.scope)
    rows = []
    for code in report.losses.by_reason:
        sides = (found[code].note, found[code].stated)
        cells = [cell for told in sides for cell in _told(report, told, is_one_rep=report.is_one_rep)]
        rows.append(Row((report.label(code), *cells), report.page_of(code)))
    columns = (
        Column("reason", "Primary reason"),
        Column("note_deals", "Note and buyer both speak", "deals"),
        Column("note_differs", "They differ", "share"),
        Column("stated_deals", "Stated in the CRM", "deals"),
        Column("stated_differs", "It is none that holds", "share"),
    )
    note = (
        "Note and buyer differ where the note's primary reason is none that the buyer names. Both may be right in what they saw; "
        "a high share says that asking the buyer pays."
    )
    return Sheet("differences", "The rep's reason and the buyer's words", columns, tuple(rows), (note,))


def stated_sheet(report: Report) -> Sheet:
    """Gives what each stated reason of the CRM turns out to be."""
    rows = []
    for stated, found in differences.read_stated(report.session, report.scope).items():
        deals, share = _told(report, found.told, is_one_rep=report.is_one_rep)
        read = report.labels(list(found.read)[:_MOST_READ]) if isinstance(share, Share) else None
        rows.append(Row((stated, deals, share, read)))
    columns = (
        Column("stated", "Stated in the CRM"),
        Column("deals", "Deals", "deals"),
        Column("differs", "None that holds", "share"),
        Column("read", "Then mostly"),
    )
    return Sheet("stated", "What the stated reason turns out to be", columns, tuple(rows))


def external_only_sheet(report: Report) -> Sheet:
    """Gives by team the share of notes that name nothing on our side."""
    rows = []
    for team, found in differences.read_external_only(report.session, report.scope).items():
        told = differences.Told(found.notes, found.external_only)
        rows.append(Row((team, *_told(report, told, is_one_rep=found.reps == 1))))
    columns = (
        Column("team", "Team"),
        Column("notes", "Notes", "deals"),
        Column("external_only", "Name only causes outside", "share"),
    )
    note = "Never by rep. Many deals are lost for causes outside; a team whose notes name nothing else may want other questions."
    return Sheet("external-only", "Notes that name only causes outside", columns, tuple(rows), (note,))


def _told(report: Report, told: differences.Told, *, is_one_rep: bool) -> tuple[Cell, Cell]:
    if is_one_rep:
        return _ONE_REP, _ONE_REP
    share = report.share(told.differ, told.deals) if told.deals else report.too_few
    return (told.deals if isinstance(share, Share) else report.too_few), share
