"""The report of a planned backfill: every value that would change, as CSV for machines and as a page for people."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from serving.backfill import PlannedDeal, count_changes
from serving.reports.sheets import safe_cell

_COLUMNS = ("deal_id", "field", "what", "before", "after", "evidence")
_MOST_ROWS = 2_000


def write_csv(deals: list[PlannedDeal], path: Path) -> None:
    """Writes one line a value: deal, field, what would happen, before, after, evidence; a deal left alone has one line that says why."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(_COLUMNS)
        for deal in deals:
            for value in deal.values:
                cells = (deal.deal_id, value.field, value.act, value.before, value.after, value.evidence)
                writer.writerow(map(safe_cell, cells))
            if not deal.values:
                writer.writerow([safe_cell(deal.deal_id), "", deal.silence or "stands already", "", "", ""])


def write_page(deals: list[PlannedDeal], path: Path, *, crm: str, since: datetime | None, at: datetime) -> None:
    """Writes the report as one HTML page that loads nothing from elsewhere.

    Args:
        deals: What was planned.
        path: The file to write.
        crm: Name of the connected CRM.
        since: The moment from which deals were listed; None for all.
        at: When it was planned.
    """
    pages = Environment(loader=PackageLoader("serving", "pages"), autoescape=True, undefined=StrictUndefined)
    shown, count = [], 0
    for deal in (deal for deal in deals if deal.values):
        if count >= _MOST_ROWS:
            break
        shown.append(deal)
        count += len(deal.values)
    acts = count_changes(deals)
    reasons = acts.pop("primary reason read")
    page = pages.get_template("backfill.html").render(
        crm=crm,
        since=since,
        at=at,
        deals=deals,
        shown=shown,
        fields=sorted(acts.items()),
        reasons=reasons.most_common(),
        silent=Counter(deal.silence for deal in deals if deal.silence).most_common(),
        silent_ids=[deal for deal in deals if deal.silence in ("no text", "unreadable", "not in the CRM")],
        n_changed=sum(any(value.act != "keep" for value in deal.values) for deal in deals),
    )
    path.write_text(page, encoding="utf-8")
