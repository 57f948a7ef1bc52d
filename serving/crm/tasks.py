"""Tasks for people in the CRM; not every connector can add one."""

from __future__ import annotations

from datetime import date
from typing import Protocol, runtime_checkable

# What a task's subject starts with, so that a connector does not read our own words as the seller's
SUBJECT_MARK = "lossnlp: "
MOST_SUBJECT_CHARS = 255


@runtime_checkable
class TaskCrm(Protocol):
    """A connected CRM that takes tasks."""

    @property
    def name(self) -> str:
        """The connector's name, as in `LOSSNLP_CRM`."""

    def add_task(self, deal_id: str, due_on: date, *, subject: str, text: str) -> str:
        """Gives the CRM's id of a new task on a deal, for whoever owns the deal there.

        Args:
            deal_id: The CRM's id of the deal.
            due_on: Day on which it is due.
            subject: In one line; cut to 255 characters.
            text: What to know.

        Raises:
            CrmError: The CRM does not hold the deal, refuses the task, or did not answer.
        """


def marked_subject(subject: str) -> str:
    """Gives a subject with our mark before it, in one line of the length that CRMs take."""
    return f"{SUBJECT_MARK}{' '.join(subject.split())}"[:MOST_SUBJECT_CHARS]


def is_our_task(subject: object) -> bool:
    """Says whether a task with this subject is one of ours."""
    return isinstance(subject, str) and subject.startswith(SUBJECT_MARK)
