"""The one protocol that every CRM connector follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from lossnlp.errors import LossNlpError

FieldValue = str | float | bool | None
Fields = dict[str, FieldValue]
Outcome = Literal["sent", "refused", "unknown"]
FieldKind = Literal["choice", "choices", "text", "number", "date", "moment", "flag"]
SetupAct = Literal["create", "add choices", "stands", "by hand"]


class CrmError(LossNlpError):
    """Says that the CRM did not do what was asked."""

    code = "crm_error"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call at one of our doors as it came in.

    Args:
        method: HTTP method.
        target: Path and query, raw as the caller sent them.
        headers: In any spelling of their names.
        body: The raw bytes.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class LostEvent:
    """That a deal was lost, as a CRM tells it.

    Args:
        key: What tells the same event told twice from another one, at most 300 characters.
        deal_id: The CRM's id of the deal.
    """

    key: str
    deal_id: str


@dataclass(frozen=True, slots=True)
class LostPage:
    """Some ids of closed-lost deals, and where to go on.

    Args:
        deal_ids: In the CRM's order; the same deal may come again on a later page where the CRM changes meanwhile.
        cursor: Hand it back to get the next page, in this process or a later one; None after the last.
    """

    deal_ids: tuple[str, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The values to set on one deal; None empties a field. Values are absolute: sent twice they do no harm.

    Args:
        deal_id: The CRM's id of the deal.
        values: What to set.
        before: What stood in those fields when it was decided; a CRM that can refuse a change of something newer is told.
    """

    deal_id: str
    values: Mapping[str, FieldValue]
    before: Mapping[str, FieldValue] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a picklist: as it is stored, and as people see it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field that the CRM should have on its deals.

    Args:
        name: The CRM's own name of the field.
        label: As people see it.
        kind: `choice` is one of a picklist, `choices` several, sent joined by ';'; `date` is YYYY-MM-DD, `moment` ISO 8601 in UTC.
        choices: The values of a picklist.
    """

    name: str
    label: str
    kind: FieldKind
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class SetupStep:
    """What is to be done for one field, or was done.

    Args:
        field: The CRM's name of the field.
        act: `create` it, `add choices` to it, nothing because it `stands`, or something only a person can do.
        detail: The choices to add, or what a person has to do; empty where there is nothing to say.
    """

    field: str
    act: SetupAct
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one change.

    Args:
        deal_id: The deal of the change.
        error: Short cause for people and reports, without any text of the deal; None when the values are set.
        is_retryable: Whether the same change may succeed later.
        is_certain: Whether a failed change is known to have set nothing; False where it may have arrived all the same.
    """

    deal_id: str
    error: str | None = None
    is_retryable: bool = False
    is_certain: bool = True

    @property
    def outcome(self) -> Outcome:
        """What is known of the values: `sent`, `refused` (nothing was set) or `unknown`."""
        if self.error is None:
            return "sent"
        return "refused" if self.is_certain else "unknown"


class Crm(Protocol):
    """A connected CRM. Calls may take seconds; no database transaction is open around them."""

    @property
    def name(self) -> str:
        """The connector's name, as in `LOSSNLP_CRM`."""

    @property
    def at_once(self) -> int:
        """How many deals are best read in one round."""

    @property
    def writes_at_once(self) -> int:
        """How many deals one call can write: between reading their fields and that call, no other lies."""

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives a page of the ids of closed-lost deals.

        Args:
            since: Only deals closed or changed at or after this moment; None is all.
            cursor: Of the page before, or None for the first.

        Raises:
            CrmError: The CRM cannot be read.
        """

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives each deal with its notes, logged calls, mails and transcripts as a request of the published contract.

        A deal that the CRM does not hold, or that is not lost (any more), is left out; one without any text has no documents.

        Raises:
            CrmError: The CRM cannot be read.
        """

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives what stands in the write-back fields of each deal; a deal that the CRM does not hold is left out.

        Raises:
            CrmError: The CRM cannot be read.
        """

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change, in the same order; one refused change does not stop the others.

        Raises:
            CrmError: The call as a whole failed; whether anything was set is not known.
        """

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what `set_up` would do, one step a field; changes nothing.

        Raises:
            CrmError: The CRM cannot be read.
        """

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Creates the fields and picklist values that are missing and gives what was done; run twice it does nothing more.

        Raises:
            CrmError: The CRM cannot be read, or refuses a field.
        """


def fetch_all_lost(crm: Crm, since: datetime | None = None) -> Iterator[dict[str, Any]]:
    """Gives the closed-lost deals as requests, each once, in the CRM's order.

    Raises:
        CrmError: The CRM cannot be read.
    """
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        page = crm.find_lost(since, cursor=cursor)
        new = [deal_id for deal_id in page.deal_ids if deal_id not in seen]
        seen.update(new)
        for low in range(0, len(new), crm.at_once):
            some = new[low : low + crm.at_once]
            found = crm.fetch_requests(some)
            yield from (found[deal_id] for deal_id in some if deal_id in found)
        cursor = page.cursor
        if cursor is None:
            return
