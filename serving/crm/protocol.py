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


class CrmError(LossNlpError):
    """Says that the CRM did not do what was asked."""

    code = "crm_error"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The values to set on one deal; None empties a field. Values are absolute: sent twice they do no harm."""

    deal_id: str
    values: Mapping[str, FieldValue]


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

    def fetch_lost_deals(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Gives the closed-lost deals as requests of the published contract.

        Args:
            since: Only deals closed or changed at or after this moment; None is all.

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
