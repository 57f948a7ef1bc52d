"""Tasks of a Salesforce org."""

from __future__ import annotations

from datetime import date

from serving.crm.http import CrmCallError, Request
from serving.crm.salesforce_org import DEAL, NAME, Org, is_one_of, select
from serving.crm.tasks import marked_subject


def add_task(org: Org, deal_id: str, due_on: date, *, subject: str, text: str) -> str:
    """Gives the id of a new task on a deal, for the owner of the deal; status and priority are the org's own defaults.

    Args:
        org: The org.
        deal_id: Salesforce's id of the deal.
        due_on: The day.
        subject: In one line.
        text: What to know.

    Raises:
        CrmCallError: The org does not hold the deal, refused, or gave no usable answer.

    Source: Object Reference, "Task"; REST API Developer Guide, "Create a Record".
    """
    deals = org.find_rows(select(("Id", "OwnerId"), DEAL, [is_one_of("Id", [deal_id])]))
    if not deals:
        raise CrmCallError(f"{NAME} does not hold this deal.")
    task = {
        "WhatId": deals[0]["Id"],
        "OwnerId": deals[0]["OwnerId"],
        "Subject": marked_subject(subject),
        "Description": text,
        "ActivityDate": due_on.isoformat(),
    }
    return str(org.call("POST", "sobjects/Task", Request(body=task), repeat="undone")["id"])
