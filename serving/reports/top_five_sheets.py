"""The tables of the short list: its entries, what it can no longer tell apart, and where entries overlap."""

from __future__ import annotations

from serving.reports.intervals import share_of
from serving.reports.report import Report
from serving.reports.sheets import Column, Row, Sheet
from serving.reports.top_five import Entry, TopFive
from serving.reports.top_five_search import REDRAWS

_AGAIN_NOTE = (
    f"Found again: the months, and the deals in each, are drawn anew {REDRAWS} times, and the search says how often it would propose "
    "the same entry. Few of them mean that another list would do about as well."
)
_OVERLAP_NOTE = (
    "Also another entry: deals with a reason of this entry and one of another, where either could have been taken."
)


def entries_sheet(report: Report, top: TopFive) -> Sheet:
    """Gives the entries with share, money, stability and overlap, and 'Other' at the end."""
    whole, currency = report.losses.whole, report.scope.currency
    columns = (
        Column("entry", "Entry"),
        Column("codes", "Stands for"),
        Column("deals", "Deals", "deals"),
        Column("share", "Share of deals", "share"),
        Column("money", f"Money, {currency}" if currency else "Money", "money"),
        Column("money_share", "Share of money", "share"),
        Column("again", f"Found again, of {REDRAWS}", "deals"),
        Column("overlap", "Also another entry", "deals"),
    )
    rows = tuple(
        Row(
            (
                entry.label,
                report.labels(entry.codes),
                entry.tally.deals,
                share_of(entry.tally.deals, whole.deals),
                *report.money(entry.tally, whole),
                entry.again,
                None if entry is top.other else entry.overlap,
            )
        )
        for entry in top.all
    )
    return Sheet("entries", "The list", columns, rows, (_AGAIN_NOTE, _OVERLAP_NOTE))


def lost_sheet(report: Report, top: TopFive) -> Sheet:
    """Gives what can no longer be told apart, and in how many deals."""
    columns = (
        Column("entry", "Entry"),
        Column("reasons", "No longer told apart"),
        Column("deals", "Deals", "deals"),
        Column("of_which", "Of which"),
        Column("several", "More than one applied", "deals"),
    )
    rows = tuple(
        Row((entry.label, report.labels(_with_deals(entry)), entry.tally.deals, _parts(report, entry), entry.several))
        for entry in top.merged
    )
    lost, whole = sum(entry.tally.deals for entry in top.merged), report.losses.whole.deals
    note = (
        f"Of {whole:,} deals the list keeps the reason itself in {whole - lost:,}, and loses a distinction in {lost:,}."
    )
    return Sheet("lost", "What merging loses", columns, rows, (note,))


def overlaps_sheet(top: TopFive) -> Sheet:
    """Gives the deals whose reasons fall into two entries, by these."""
    columns = (Column("entry", "Entry"), Column("other_entry", "And"), Column("deals", "Deals", "deals"))
    pairs = sorted(top.pairs.items(), key=lambda item: (-item[1], item[0]))
    rows = tuple(Row((one, other, deals)) for (one, other), deals in pairs)
    note = f"In all {top.overlapping:,} deals fall into two entries or more; one that falls into three stands in three rows."
    return Sheet("overlaps", "Where entries overlap", columns, rows, (note,))


def _with_deals(entry: Entry) -> list[str]:
    return sorted(
        (code for code, tally in entry.parts.items() if tally.deals), key=lambda code: -entry.parts[code].deals
    )


def _parts(report: Report, entry: Entry) -> str:
    return ", ".join(f"{entry.parts[code].deals:,} {report.label(code)}" for code in _with_deals(entry))
