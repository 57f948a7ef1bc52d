"""The demo's findings as people read them: one table, a summary, and one deal where rep and buyer tell two stories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossnlp.deal import Deal
from serving.api import StoredAssessment

_ELEMENTS = {
    "metrics": "M",
    "economic_buyer": "EB",
    "decision_criteria": "DC",
    "decision_process": "DP",
    "paper_process": "PP",
    "identify_pain": "IP",
    "champion": "Ch",
    "competition": "Co",
}
_LEGEND = (
    "Gaps: M metrics, EB economic buyer, DC decision criteria, DP decision process, PP paper process, "
    "IP identify pain, Ch champion, Co competition. '?' marks a value below its threshold: shown, not written."
)
_COLUMNS = ("Deal", "Note", "Primary reason", "Gaps", "Flags", "Win-back", "Rival", "CRM")
_SHARES = {"Deal": 8, "Note": 14, "CRM": 11}
_WIDTHS = {"Primary reason": 14, "Gaps": 8, "Flags": 10, "Win-back": 10, "Rival": 11}
_SHORT_CAUSES = {
    "primary_reason_uncertain": "reason unsure",
    "rep_buyer_conflict": "rep≠buyer",
    "stated_reason_conflict": "≠stated",
    "no_cause_found": "no cause",
}
_NOTE_CHARS = 46
_QUOTE_CHARS = 300
LABEL_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Walked:
    """One demo deal with what came of it."""

    deal: Deal
    found: StoredAssessment

    @classmethod
    def of(cls, request: dict[str, Any], found: StoredAssessment) -> Walked:
        """Gives the deal of a request beside its stored assessment."""
        return cls(Deal.from_request(request), found)

    @property
    def note(self) -> str:
        """The rep's note on one line."""
        texts = [document.text or "" for document in self.deal.documents if document.kind == "rep_note"]
        return " ".join(" ".join(texts).split())

    @property
    def written(self) -> dict[str, Any]:
        """The values that now stand in the CRM."""
        write_back = self.found.write_back
        return write_back.written if write_back and write_back.state == "sent" else {}

    @property
    def kept(self) -> dict[str, Any]:
        """A person's values that were left alone."""
        return self.found.write_back.kept if self.found.write_back else {}


def print_table(console: Console, walked: Sequence[Walked]) -> None:
    """Prints one row a deal, with the legend below."""
    title = "Lost deals, read and written back"
    table = Table(title=title, box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), row_styles=["", "dim"])
    for name in _COLUMNS:
        table.add_column(name, ratio=_SHARES.get(name), width=_WIDTHS.get(name))
    for one in walked:
        cells = (one.deal.account or one.deal.id, _start(one.note, _NOTE_CHARS), *_findings(one.found), _crm_cell(one))
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print(_LEGEND, style="dim", highlight=False)
    console.print()


def _start(text: str, chars: int) -> str:
    """Gives the start of a text, cut between words."""
    return text if len(text) <= chars else text[:chars].rpartition(" ")[0] + " …"


def _findings(found: StoredAssessment) -> tuple[str, str, str, str, str]:
    primary, accepted = found.primary, found.accepted
    reason = f"{primary.label} {primary.confidence:.0%}" + ("" if "primary_reason" in accepted else " ?")
    gaps = [_ELEMENTS.get(code, code) for code, element in found.meddpicc.items() if element.state == "gap"]
    winback = found.winback.state + ("" if "winback" in accepted else " ?")
    day = f" {found.winback.revisit_on}" if found.winback.revisit_on else ""
    rivals = [f"{rival.name} ({rival.role})" for rival in found.competitors if rival.role != "mentioned"]
    return reason, " ".join(gaps), ", ".join(_flags(found)), winback + day, ", ".join(dict.fromkeys(rivals))


def _flags(found: StoredAssessment) -> list[str]:
    flags = {
        "external": found.flags.external_only,
        "thin": found.flags.insufficient_detail,
        "rep≠buyer": found.flags.rep_buyer_conflict,
        "≠stated": found.flags.stated_reason_conflict,
    }
    return [name for name, flag in flags.items() if flag.value]


def _crm_cell(one: Walked) -> str:
    parts = [f"{len(one.written)} written"] if one.written else []
    parts += [f"{len(one.kept)} kept, a person's"] if one.kept else []
    causes = [_SHORT_CAUSES.get(cause, cause.replace("_", " ")) for cause in one.found.review.because]
    parts += [f"waits: {', '.join(causes)}"] if one.found.review.required else []
    return "; ".join(parts) or "nothing to write"


def print_summary(console: Console, walked: Sequence[Walked]) -> None:
    """Prints how much was written, what waits and why, and what deals are lost to."""
    written = [one.written for one in walked if one.written]
    kept = sum(len(one.kept) for one in walked)
    waiting = [one for one in walked if one.found.review.required]
    causes = Counter(cause.replace("_", " ") for one in waiting for cause in one.found.review.because)
    reasons = Counter(one.found.primary.label for one in walked)
    lines = {
        "Written": f"{sum(map(len, written))} fields of {len(written)} deals; {kept} with a person's own value left alone",
        "Waits": f"{len(waiting)} of {len(walked)} deals for a person: {_counted(causes)}",
        "Lost to": _counted(reasons),
    }
    if not any(one.found.write_back for one in walked):
        lines["Hint"] = "this service writes nothing back; start it with LOSSNLP_CRM=demo"
    _print_lines(console, "In short", lines)


def _counted(counts: Counter[str], most: int = 8) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(most)) or "none"


def print_conflict(console: Console, walked: Sequence[Walked]) -> None:
    """Prints the clearest deal where the note and the buyer's own words differ, with both; nothing where none does."""
    conflicts = [(one, quotes) for one in walked if (quotes := _both_quotes(one))]
    if not conflicts:
        return
    one, (note, buyer) = max(conflicts, key=lambda pair: pair[0].found.flags.rep_buyer_conflict.confidence or 0)
    primary = one.found.primary
    lines = {
        "The note says": f"“{_start(note, _QUOTE_CHARS)}”",
        "The buyer says": f"“{_start(buyer, _QUOTE_CHARS)}”",
        "Read as": f"{primary.label} {primary.confidence:.0%}",
    }
    _print_lines(console, f"Two stories about {one.deal.account or one.deal.id}", lines)


def _both_quotes(one: Walked) -> tuple[str, str] | None:
    """Gives the rep's and the buyer's words that contradict each other, or None."""
    flag = one.found.flags.rep_buyer_conflict
    notes = {document.id for document in one.deal.documents if document.kind == "rep_note"}
    said = [" ".join(quote.text.split()) for quote in flag.evidence if quote.document_id in notes]
    heard = [" ".join(quote.text.split()) for quote in flag.evidence if quote.role == "buyer"]
    return (said[0], heard[0]) if flag.value and said and heard else None


def _print_lines(console: Console, title: str, lines: Mapping[str, str]) -> None:
    """Prints named lines; long ones wrap beside their name."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL_WIDTH)
    grid.add_column()
    for name, line in lines.items():
        grid.add_row(Text(f"  {name}"), Text(line))
    console.print(Text(title, style="bold"), grid, Text(), sep="\n")
