"""A change of the list of reasons, and deals that it touches."""

from __future__ import annotations

from collections.abc import Callable

from serving.tables import VerdictRow
from tests.change_steps import HEAD, MERGE, SPLIT

CHANGE = f"{HEAD}  - rename: timing\n    to: {{code: not_now, label: Not now}}\n{MERGE}{SPLIT}"
DEALS = {
    "A": "the price was too high",
    "B": "no budget, and the price was too high",
    "C": "their legal team said no",
    "D": "the timing was wrong and legal slow",
    "E": "lost to rostera in the end",
}
Give = Callable[..., VerdictRow]
