"""What is asked of HubSpot's search to list lost deals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any


def lost_search(since: datetime | None, *, above: str, properties: Sequence[str], limit: int) -> dict[str, Any]:
    """Gives the body of a search for lost deals, lowest id first.

    Args:
        since: Only deals closed or changed at or after this moment; None is all.
        above: The id behind which to begin.
        properties: What to tell of each deal.
        limit: Most deals, 1 to 200.

    Source: HubSpot, "Search the CRM".
    """
    return {
        "filterGroups": _lost_filters(since, above),
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(properties),
        "limit": limit,
        "after": "0",
    }


def _lost_filters(since: datetime | None, above: str) -> list[dict[str, Any]]:
    """Gives a group of filters for each way to be recent; groups are joined by or."""
    lost = [
        {"propertyName": "hs_is_closed_lost", "operator": "EQ", "value": "true"},
        {"propertyName": "hs_object_id", "operator": "GT", "value": above},
    ]
    if since is None:
        return [{"filters": lost}]
    moment = str(int(since.timestamp() * 1000))
    return [
        {"filters": [*lost, {"propertyName": name, "operator": "GTE", "value": moment}]}
        for name in ("closedate", "hs_lastmodifieddate")
    ]
