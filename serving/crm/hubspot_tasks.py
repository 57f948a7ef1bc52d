"""A task of HubSpot's, as its API takes it."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import Any

from serving.crm.tasks import marked_subject

_TASK_TO_DEAL = 216


def new_task(deal_id: str, due_on: date, *, subject: str, text: str, owner: str | None) -> dict[str, Any]:
    """Gives the body that creates a task on a deal, due at nine (UTC).

    Args:
        deal_id: HubSpot's id of the deal.
        due_on: The day.
        subject: In one line.
        text: What to know; HubSpot shows it as HTML.
        owner: HubSpot's id of who shall do it; None assigns nobody.

    Source: HubSpot, "Activities: Tasks" (properties) and "Associate records" (association type ids).
    """
    properties = {
        "hs_timestamp": f"{due_on.isoformat()}T09:00:00Z",
        "hs_task_subject": marked_subject(subject),
        "hs_task_body": "<br>".join(escape(line) for line in text.splitlines()),
        "hs_task_status": "NOT_STARTED",
        "hs_task_priority": "MEDIUM",
        "hs_task_type": "CALL",
    }
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": _TASK_TO_DEAL}]
    return {
        "properties": properties | ({"hubspot_owner_id": owner} if owner else {}),
        "associations": [{"to": {"id": deal_id}, "types": types}],
    }
