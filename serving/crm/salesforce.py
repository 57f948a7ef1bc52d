"""Salesforce: closed-lost opportunities with their texts, and custom fields on them.

What is read is what a plain org surely has: Description and NextStep of the deal, tasks and events logged on it, and its mails
where the org keeps EmailMessage. Files, Chatter and ContentNote (one call a note) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.crm.deal_fields import DealFieldNames
from serving.crm.fields import read_words
from serving.crm.http import CrmCallError, CrmHttp
from serving.crm.protocol import CrmError, FieldChange, Fields, FieldSpec, LostPage, SendResult, SetupStep
from serving.crm.salesforce_deals import LOST, DealQuery
from serving.crm.salesforce_org import (
    AT_ONCE,
    DEAL,
    NAME,
    ClientCredentials,
    Org,
    Row,
    codes,
    find_cause,
    is_one_of,
    select,
    warn_of_usage,
)
from serving.crm.salesforce_setup import FieldSetup
from serving.crm.salesforce_tasks import add_task
from serving.crm.salesforce_texts import EVENT_FIELDS, MAIL_FIELDS, TASK_FIELDS, documents
from serving.crm.salesforce_values import is_shared_fault, read_fields, read_result, to_record
from serving.outgoing import open_client
from serving.settings import Settings, read_settings

_PREFIX = "LOSSNLP_SALESFORCE_"
_MOST_ROWS = 2000
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?)\+0000 ([A-Za-z0-9]{18})")
_log = structlog.get_logger(__name__)


class SalesforceSettings(BaseSettings):
    """What connects to an org; every name stands in the environment as `LOSSNLP_SALESFORCE_<NAME>`.

    Args:
        instance_url: Of the org, such as `https://example.my.salesforce.com`.
        client_id: Consumer key of an external client app with the client-credentials flow.
        client_secret: Its consumer secret.
        api_version: Of the REST API.
        permission_set: API name of a permission set of the API user, which gets access to the fields that are set up.
        stated_reason_field: API name of the field in which sellers say why they lost; None where there is none.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    instance_url: str = Field(pattern=r"^(https://[^/?#@]+|http://(127\.0\.0\.1|localhost)(:\d+)?)/?$")
    client_id: str
    client_secret: SecretStr
    api_version: str = Field(default="v66.0", pattern=r"^v\d+\.0$")
    permission_set: str | None = None
    stated_reason_field: str | None = Field(default=None, pattern=r"^[A-Za-z]\w*$")


def connect(settings: Settings) -> Salesforce:
    """Gives the org that the environment names; nothing is called yet.

    Raises:
        ConfigurationError: A variable is missing or wrong, or the mapping file is; names it.
    """
    named = read_words(settings.crm_words).deal_fields
    return connect_org(read_settings(SalesforceSettings, prefix=_PREFIX), deal_fields=named)


def connect_org(
    settings: SalesforceSettings,
    *,
    deal_fields: DealFieldNames | None = None,
    transport: httpx2.BaseTransport | None = None,
    page_size: int = _MOST_ROWS,
) -> Salesforce:
    """Gives the org of the settings.

    Args:
        settings: Address, credentials and names.
        deal_fields: Fields that hold team, region, product and segment, such as `Team__c` or `Owner.Department`.
        transport: Carries the calls; None is the network.
        page_size: Most deals on a page of lost ones, 1 to 2,000.
    """
    url = settings.instance_url.rstrip("/")
    secret = settings.client_secret.get_secret_value()
    auth = ClientCredentials(f"{url}/services/oauth2/token", client_id=settings.client_id, client_secret=secret)
    client = open_client(base_url=url, auth=auth, transport=transport, hooks=[warn_of_usage()])
    org = Org(CrmHttp(client, NAME, find_message=find_cause), settings.api_version)
    return Salesforce(org, settings, deal_fields=deal_fields, page_size=page_size)


class Salesforce:
    """The closed-lost opportunities of one org.

    Args:
        org: The org.
        settings: Names of the fields and permission set that are the company's own.
        deal_fields: Fields that hold team, region, product and segment; an org has none of its own for them.
        page_size: Most deals on a page of lost ones, 1 to 2,000.
    """

    name = "salesforce"
    at_once = 400
    writes_at_once = 200

    def __init__(
        self, org: Org, settings: SalesforceSettings, *, page_size: int, deal_fields: DealFieldNames | None = None
    ) -> None:
        self.org = org
        self._deals = DealQuery(org, stated_reason=settings.stated_reason_field, deal_fields=deal_fields or {})
        self._setup = FieldSetup(org, settings.permission_set)
        self._page_size = page_size
        self._has_mails = True

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives a page of the ids of closed-lost deals, least recently changed first.

        The cursor is the place (LastModifiedDate, Id) of the last deal, not Salesforce's `nextRecordsUrl`: a query locator
        dies after two days at most, and with the tenth newer one of the same user. A deal that changes meanwhile comes again,
        none is missed.

        Raises:
            CrmError: The CRM cannot be read, or the cursor is none of ours.

        Source: Salesforce Help, "'INVALID_QUERY_LOCATOR' Salesforce Error".
        """
        where = list(LOST)
        if cursor is not None:
            where.append(_is_after(cursor))
        elif since is not None:
            where.append(f"LastModifiedDate >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
        tail = f"ORDER BY LastModifiedDate, Id LIMIT {self._page_size}"
        page = self.org.find_page(select(("Id", "LastModifiedDate"), DEAL, where, tail))
        rows = page["records"]
        is_last = page["done"] and len(rows) < self._page_size
        following = None if is_last else f"{rows[-1]['LastModifiedDate']} {rows[-1]['Id']}"
        return LostPage(tuple(row["Id"] for row in rows), cursor=following)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals with their texts as requests; four calls for 200 deals, and one for the first of all.

        Raises:
            CrmError: The CRM cannot be read.
        """
        found: dict[str, dict[str, Any]] = {}
        for ids in _chunks(deal_ids):
            found |= self._with_texts(self._deals.fetch(ids))
        return {deal_id: found[deal_id[:15]] for deal_id in _held(deal_ids, found)}

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives all fields of the deals that are not empty, under their API names; one call for 200 deals.

        A checkbox that is not ticked counts as empty: nobody can tell it from one that was never looked at.

        Raises:
            CrmError: The CRM cannot be read.

        Source: SOQL and SOSL Reference, "SELECT" (FIELDS(ALL) takes at most 200 rows).
        """
        found: dict[str, Fields] = {}
        for ids in _chunks(deal_ids):
            soql = select(("FIELDS(ALL)",), DEAL, [is_one_of("Id", ids)], f"LIMIT {AT_ONCE}")
            found |= {row["Id"][:15]: read_fields(row) for row in self.org.find_rows(soql)}
        return {deal_id: found[deal_id[:15]] for deal_id in _held(deal_ids, found)}

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change, in the same order; one call for 200 changes.

        Raises:
            CrmError: The credentials or the API as such are refused.
        """
        return [
            result for low in range(0, len(changes), AT_ONCE) for result in self._send(changes[low : low + AT_ONCE])
        ]

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what `set_up` would do.

        Raises:
            CrmError: The CRM cannot be read.
        """
        return self._setup.plan(fields)

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what was done; no value of a picklist is ever taken away.

        Raises:
            CrmError: The CRM cannot be read, or refuses a field.
        """
        return self._setup.apply(fields)

    def add_task(self, deal_id: str, due_on: date, *, subject: str, text: str) -> str:
        """Gives the id of a new task on a deal.

        Raises:
            CrmError: The org does not hold the deal, or refuses the task.
        """
        if not _ID.fullmatch(deal_id):
            raise CrmError(f"{NAME} does not hold this deal.")
        return add_task(self.org, deal_id, due_on, subject=subject, text=text)

    def _with_texts(self, deals: Mapping[str, Row]) -> dict[str, dict[str, Any]]:
        """Gives the deals as requests; of tasks and events also those that Salesforce has archived."""
        if not deals:
            return {}
        ids = list(deals)
        tasks = self._fetch_texts(TASK_FIELDS, "Task", ids)
        events = self._fetch_texts(EVENT_FIELDS, "Event", ids)
        mails = self._fetch_mails(ids)
        return {
            deal_id: {
                "deal": {"id": row["Id"], **self._deals.head(row)},
                "documents": documents(row, *(texts.get(deal_id, ()) for texts in (tasks, events, mails))),
            }
            for deal_id, row in deals.items()
        }

    def _fetch_texts(self, fields: Sequence[str], table: str, ids: Sequence[str]) -> dict[str, list[Row]]:
        """Gives the rows of a table by the deal that they hang on, which their second field names.

        Source: SOAP API Developer Guide, "Archived Activities".
        """
        owner = fields[1]
        by_deal: dict[str, list[Row]] = {}
        soql = select(fields, table, [is_one_of(owner, ids), "IsDeleted = false"])
        for row in self.org.find_rows(soql, with_archived=True):
            by_deal.setdefault(row[owner][:15], []).append(row)
        return by_deal

    def _fetch_mails(self, ids: Sequence[str]) -> dict[str, list[Row]]:
        """Gives the mails by deal; none where the org keeps no EmailMessage or does not show it to the API user."""
        if not self._has_mails:
            return {}
        try:
            return self._fetch_texts(MAIL_FIELDS, "EmailMessage", ids)
        except CrmCallError as error:
            if "INVALID_TYPE" not in codes(error.answer):
                raise
            self._has_mails = False
            _log.warning("crm_has_no_mails", crm=NAME)
            return {}

    def _send(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives the results of one call. A field that the org does not describe by exactly this name was not read either: never sent."""
        names = {name for change in changes for name in change.values}
        if names - self.org.get_fields().keys() and names - self.org.get_fields(fresh=True).keys():
            return self._send_known(changes)
        flags = self._flags({name for change in changes for name, value in change.values.items() if value is None})
        try:
            answers = self.org.send_records("PATCH", [to_record(change, flags) for change in changes])
        except CrmCallError as error:
            return self._results_of_refusal(changes, error)
        results = [read_result(change, answer) for change, answer in zip(changes, answers, strict=True)]
        shared = [number for number, answer in enumerate(answers) if is_shared_fault(answer)]
        if len(shared) > 1:
            again = self._send_halves([changes[number] for number in shared])
            for number, result in zip(shared, again, strict=True):
                results[number] = result
        return results

    def _results_of_refusal(self, changes: Sequence[FieldChange], error: CrmCallError) -> list[SendResult]:
        """Gives the results of changes whose call was refused as a whole: what can be blamed on one deal stops that deal alone."""
        if error.is_retryable:
            return [SendResult(change.deal_id, str(error), True, error.is_certain) for change in changes]  # noqa: FBT003
        if error.status != 400 or not codes(error.answer):
            raise error
        if len(changes) == 1:
            return [SendResult(changes[0].deal_id, str(error))]
        if "INVALID_FIELD" in codes(error.answer):
            return self._send_known(changes)
        return self._send_halves(changes)

    def _send_known(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Refuses the changes of fields that deals do not have, without a call for each, and sends the others."""
        names = self.org.get_fields(fresh=True).keys()
        unknown = [", ".join(sorted(change.values.keys() - names)) for change in changes]
        known = [change for change, lacking in zip(changes, unknown, strict=True) if not lacking]
        if len(known) == len(changes):
            return self._send_halves(changes)
        sent = iter(self._send(known) if known else [])
        return [
            SendResult(change.deal_id, f"INVALID_FIELD: {lacking}") if lacking else next(sent)
            for change, lacking in zip(changes, unknown, strict=True)
        ]

    def _send_halves(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        middle = len(changes) // 2
        return [*self._send(changes[:middle]), *self._send(changes[middle:])]

    def _flags(self, names: set[str]) -> set[str]:
        """Gives those of the fields that are checkboxes, which Salesforce does not empty but untick."""
        if not names:
            return set()
        fields = self.org.get_fields(fresh=not names <= self.org.get_fields().keys())
        return {name for name in names if name in fields and fields[name]["type"] == "boolean"}


def _is_after(cursor: str) -> str:
    told = _CURSOR.fullmatch(cursor)
    if told is None:
        raise CrmError(f"The place in the list of {NAME} is not one that it gave.")
    at, deal_id = f"{told[1]}Z", told[2]
    return f"(LastModifiedDate > {at} OR (LastModifiedDate = {at} AND Id > '{deal_id}'))"


def _chunks(deal_ids: Sequence[str]) -> Iterator[list[str]]:
    """Gives the ids that can be some, each once and short (the last three characters only check), 200 at a time."""
    ids = list(dict.fromkeys(deal_id[:15] for deal_id in deal_ids if _ID.fullmatch(deal_id)))
    return (ids[low : low + AT_ONCE] for low in range(0, len(ids), AT_ONCE))


def _held(deal_ids: Sequence[str], found: Mapping[str, object]) -> list[str]:
    return [deal_id for deal_id in deal_ids if deal_id[:15] in found and _ID.fullmatch(deal_id)]
