"""A view of the queue: its order and its filters, as they stand in the query of an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args
from urllib.parse import urlencode

Order = Literal["value", "uncertainty", "amount", "oldest", "teaches"]
Facet = Literal["reason", "cause", "team", "model"]
ORDERS: Mapping[Order, str] = {
    "value": "Unsure and large first",
    "uncertainty": "Least certain first",
    "amount": "Largest amount first",
    "oldest": "Oldest first",
    "teaches": "Teaches most first",
}
MOST_DAYS = 3650
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class QueueView:
    """What a person looks at.

    Args:
        order: By what the deals stand.
        reason: Code of the primary reason; None is any, as of all filters.
        cause: A cause why deals wait.
        team: The team of the deal.
        model: The model version.
        older: Days that a deal waits at least, 1 to 3,650.
        has_held: Whether deals that others hold are shown too.
        page: 1 is the first.
    """

    order: Order = "value"
    reason: str | None = None
    cause: str | None = None
    team: str | None = None
    model: str | None = None
    older: int | None = None
    has_held: bool = False
    page: int = 1

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the order and the page narrows it."""
        return any((self.reason, self.cause, self.team, self.model, self.older))

    @property
    def query(self) -> str:
        """The query of the address that shows this view; the first page, and what is as always, are left out."""
        given: dict[str, str | int | None] = {
            "order": self.order if self.order != "value" else None,
            "reason": self.reason,
            "cause": self.cause,
            "team": self.team,
            "model": self.model,
            "older": self.older,
            "held": "all" if self.has_held else None,
            "page": self.page if self.page > 1 else None,
        }
        return urlencode({name: value for name, value in given.items() if value is not None})

    def at_page(self, page: int) -> QueueView:
        """Gives the same view on another page."""
        return replace(self, page=page)

    def with_held(self) -> QueueView:
        """Gives the same view with the deals that others hold."""
        return replace(self, has_held=True, page=1)

    def narrowed(self, facet: Facet, value: str | None) -> QueueView:
        """Gives the same view under this value of a filter; None takes the filter off."""
        return replace(self, page=1, **{facet: value})  # type: ignore[arg-type]


def parse_view(given: Mapping[str, str]) -> tuple[QueueView, dict[str, str]]:
    """Gives the view of an address, and for each field that cannot be used one sentence; such a field counts as not given.

    Args:
        given: The query, decoded; names that are none of the view's are passed over.
    """
    faults: dict[str, str] = {}
    if (given.get("order") or "value") not in get_args(Order):
        faults["order"] = "There is no such order; choose one of the list."
    older, page = _whole(given.get("older"), MOST_DAYS), _whole(given.get("page"), _MOST_PAGES)
    if older is None and given.get("older", "").strip():
        faults["older"] = f"Give whole days, 1 to {MOST_DAYS:,}."
    texts = {name: given.get(name, "").replace("\x00", "") or None for name in ("reason", "cause", "team", "model")}
    order: Order = next((order for order in ORDERS if order == given.get("order")), "value")
    return QueueView(order, **texts, older=older, has_held=given.get("held") == "all", page=page or 1), faults


def _whole(text: str | None, most: int) -> int | None:
    """Gives the number from 1 to `most` that a text says, None where it says none."""
    digits = (text or "").strip()
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
    return number if 1 <= number <= most else None
