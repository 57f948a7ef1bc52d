"""A change of the list of reasons, and deals that it touches."""

from __future__ import annotations

from collections.abc import Callable

from serving.tables import VerdictRow

CHANGE = """\
from: "1"
to: "2"
steps:
  - rename: timing
    to: {code: not_now, label: Not now}
  - merge: [price, budget]
    to: {code: money, group: price_budget, label: Money, definition: Too dear or no money.}
  - split: procurement_legal
    to:
      - {code: legal_terms, group: buying_process, label: Legal terms, definition: Terms of the contract.}
      - {code: procurement_legal, group: buying_process, label: Procurement, definition: The buying department.}
"""
DEALS = {
    "A": "the price was too high",
    "B": "no budget, and the price was too high",
    "C": "their legal team said no",
    "D": "the timing was wrong and legal slow",
    "E": "lost to rostera in the end",
}
Give = Callable[..., VerdictRow]
