"""Which fields of a company's CRM hold the team, region, product and segment of a deal, and what a connector reads from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator

DealField = Literal["team", "region", "product", "segment"]

MAX_LABEL = 300
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,4}")
_MAX_PATH = 200
_log = structlog.get_logger(__name__)


def _checked_path(name: str) -> str:
    """Gives a name that cannot break out of a query."""
    if len(name) > _MAX_PATH or not _PATH.fullmatch(name):
        raise ValueError("should be the CRM's own name of a field, as Team__c, or a path, as Owner.Department")
    return name


CrmPath = Annotated[str, AfterValidator(_checked_path)]
DealFieldNames = Mapping[DealField, CrmPath | None]


class DealFields:
    """The fields of one CRM that hold our fields of a deal, as far as the CRM shows them.

    Args:
        crm: The CRM, for messages.
        named: The CRM's name of a field by ours, as the company says it; None reads none.
        natural: The same where the company says nothing: what every such CRM has.
    """

    def __init__(self, crm: str, named: DealFieldNames, natural: DealFieldNames | None = None) -> None:
        self._crm = crm
        self._names = {ours: theirs for ours, theirs in {**(natural or {}), **named}.items() if theirs}

    @property
    def names(self) -> tuple[str, ...]:
        """The CRM's names of the fields to read, each once."""
        return tuple(dict.fromkeys(self._names.values()))

    def read(self, find: Callable[[str], Iterable[object]]) -> dict[str, str]:
        """Gives our fields of one deal, those that it has.

        Args:
            find: Gives the values that stand in a field of the CRM, as people see them; a KeyError says that none is shown.
        """
        found: dict[str, str] = {}
        for ours, theirs in self._names.items():
            try:
                label = find_label(find(theirs))
            except KeyError:
                self.leave_out([theirs])
            else:
                found |= {ours: label} if label else {}
        return found

    def leave_out(self, lacking: Collection[str]) -> None:
        """Reads these fields of the CRM no longer, and says once for each of them what a person can do."""
        gone = {ours: theirs for ours, theirs in self._names.items() if theirs in lacking}
        self._names = {ours: theirs for ours, theirs in self._names.items() if ours not in gone}
        for ours, theirs in gone.items():
            mend = f"correct deal_fields.{ours} in the file of LOSSNLP_CRM_WORDS, or let our user read it; then start again"
            _log.warning("crm_lacks_deal_field", crm=self._crm, deal_field=ours, field=theirs, mend=mend)


def find_label(values: Iterable[object]) -> str | None:
    """Gives the one text that a field holds, None where it holds none, or several: a deal stands in one place of a cut."""
    plain = (value for value in values if isinstance(value, str | float | int) and not isinstance(value, bool))
    labels = {" ".join(str(value).split()) for value in plain}
    labels.discard("")
    label = labels.pop() if len(labels) == 1 else None
    return label if label and len(label) <= MAX_LABEL else None


def walk(record: object, path: str) -> list[object]:
    """Gives what stands at the end of a path through a record and those within it, with every branch of a list.

    Raises:
        KeyError: A record on the path does not hold the next field.
    """
    found: list[object] = [record]
    for part in path.split("."):
        found = [one[part] for one in found if isinstance(one, Mapping)]
        found = [each for one in found for each in (one if isinstance(one, list) else [one])]
    return found
