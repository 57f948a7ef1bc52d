"""HubSpot: lost deals with what is noted and logged on them, and our fields as deal properties."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from threading import Lock
from typing import Any

import httpx2
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.crm.deal_fields import DealFieldNames, DealFields
from serving.crm.fields import read_words
from serving.crm.http import CrmCallError, CrmHttp, Pace, Repeat, Request
from serving.crm.hubspot_answers import concerns_all, find_cause, is_undone, later, may_pass, read_result
from serving.crm.hubspot_fields import (
    Property,
    from_hubspot,
    labels_of,
    missing_options,
    new_property,
    plan_step,
    to_hubspot,
)
from serving.crm.hubspot_search import lost_search
from serving.crm.hubspot_tasks import new_task
from serving.crm.hubspot_texts import ACTIVITY_PROPERTIES, DEAL_PROPERTIES, Properties, read_request
from serving.crm.protocol import CrmError, FieldChange, Fields, FieldSpec, LostPage, SendResult, SetupStep
from serving.outgoing import open_client
from serving.settings import Names, Settings, read_settings

_PAGE = 200
_BATCH = 100
_LINKS = 1_000
_FRESH_S = 300.0
_LISTED_FRESH_S = 60.0
_MANY = 50
_PREFIX = "LOSSNLP_HUBSPOT_"
_ID = re.compile(r"[0-9]{1,18}")


class HubSpotSettings(BaseSettings):
    """What connects to a HubSpot account; every name stands in the environment as `LOSSNLP_HUBSPOT_<NAME>`.

    Args:
        token: Of a service key or a private app. It needs the scopes crm.objects.deals.read and .write, crm.schemas.deals.read and
            .write, crm.objects.contacts.read and, for mails, sales-email-read.
        api_version: A dated version; HubSpot keeps each for 18 months.
        url: Where HubSpot's API stands.
        property_group: Group of deal properties that ours are created in.
        activities: What is read with a deal; commas between them.
        calls_per_10_s: Most calls in ten seconds, as the account's plan allows.

    Source: HubSpot, "API usage guidelines" and "Versioning".
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    token: SecretStr
    api_version: str = Field(default="2026-09", pattern=r"^\d{4}-\d{2}(-beta)?$")
    url: str = Field(default="https://api.hubapi.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])")
    property_group: str = Field(default="dealinformation", min_length=1)
    activities: Names = tuple(ACTIVITY_PROPERTIES)
    calls_per_10_s: int = Field(default=190, ge=1)

    @field_validator("activities")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if not set(kinds) <= set(ACTIVITY_PROPERTIES):
            raise ValueError(f"may hold {', '.join(ACTIVITY_PROPERTIES)}")
        return tuple(dict.fromkeys(kinds))


def load_hubspot_settings() -> HubSpotSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that is missing or cannot be used, and why.
    """
    return read_settings(HubSpotSettings, prefix=_PREFIX)


def connect(settings: Settings) -> HubSpotCrm:
    """Gives the HubSpot account that the environment names.

    Raises:
        ConfigurationError: A setting of HubSpot is missing or wrong, or the mapping file is.
    """
    options, named = load_hubspot_settings(), read_words(settings.crm_words).deal_fields
    headers = {"Authorization": f"Bearer {options.token.get_secret_value()}"}
    return HubSpotCrm(open_client(base_url=options.url, headers=headers), options, deal_fields=named)


class HubSpotCrm:
    """A HubSpot account.

    Args:
        client: With base URL and credentials.
        options: The settings.
        deal_fields: Properties that hold team, region, product and segment; an account has none of its own for them.
        sleep: Waits between tries; tests hand in their own.
        clock: Gives seconds; tests hand in their own.

    Source: HubSpot, "CRM API" in dated versions: search, objects, associations, properties.
    """

    name = "hubspot"
    at_once = 500
    writes_at_once = 100

    def __init__(
        self,
        client: httpx2.Client,
        options: HubSpotSettings,
        *,
        deal_fields: DealFieldNames | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        pace = Pace(limits=((options.calls_per_10_s, 10.0),))
        self.http = CrmHttp(client, "HubSpot", pace, sleep=sleep, find_message=find_cause)
        self._options, self._clock, self._lock = options, clock, Lock()
        self._deal_fields = DealFields("HubSpot", deal_fields or {})
        self._listed: dict[str, tuple[float, Properties]] = {}
        self._defined: tuple[float, dict[str, Property]] | None = None

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives a page of ids, lowest first.

        The cursor is the last id of a page, not the place in the list that HubSpot offers: that one ends at 10,000 deals, and
        skips one when another leaves the list meanwhile.

        Source: HubSpot, "Search the CRM".
        """
        body = lost_search(since, above=cursor or "0", properties=self._asked(), limit=_PAGE)
        answer = self._post(f"{self._objects('deals')}/search", body)
        found = {deal["id"]: deal["properties"] for deal in answer["results"]}
        self._keep_listed(found)
        has_more = bool((answer.get("paging") or {}).get("next")) and found
        return LostPage(tuple(found), cursor=list(found)[-1] if has_more else None)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals with their notes, calls, meetings and mails.

        Of many deals those listed within the last minute are not read again. The fewest calls are used for many deals at once: one
        for each kind of activity and 1,000 deals, and one for each 100 activities.
        """
        deals = self._take_listed(deal_ids) if len(deal_ids) >= _MANY else {}
        deals |= self._read("deals", [deal_id for deal_id in deal_ids if deal_id not in deals], self._asked())
        deals = {deal_id: deal for deal_id, deal in deals.items() if deal.get("hs_is_closed_lost") == "true"}
        activities = {kind: self._fetch_activities(kind, list(deals)) for kind in self._options.activities}
        requests: dict[str, dict[str, Any]] = {}
        for deal_id, deal in deals.items():
            logged = {kind: found.get(deal_id, ()) for kind, found in activities.items()}
            requests[deal_id] = read_request(deal_id, deal, logged)
            requests[deal_id]["deal"] |= self._read_deal_fields(deal)
        return requests

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives all that the API may set on each deal, always read anew; empty properties are left out."""
        writable = {name: found for name, found in self._fetch_properties().items() if found.is_writable}
        return {
            deal_id: {
                name: from_hubspot(value, writable[name]) for name, value in deal.items() if value and name in writable
            }
            for deal_id, deal in self._read("deals", deal_ids, list(writable)).items()
        }

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change, in the same order; a refused batch is halved until the bad deal stands alone.

        Raises:
            CrmError: The token is not accepted, or lacks a scope.
        """
        properties = self._defined[1] if self._defined else self._fetch_properties()
        unread = {change.deal_id: sorted(change.values.keys() - properties.keys()) for change in changes}
        known = [change for change in changes if not unread[change.deal_id]]
        sent = iter([result for batch in _batches(known) for result in self._send(batch, properties)])
        return [
            later(change, f"no such property: {', '.join(unread[change.deal_id])}", is_certain=True)
            if unread[change.deal_id]
            else next(sent)
            for change in changes
        ]

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what is missing, a step a field."""
        self._defined = None
        properties = self._fetch_properties()
        return [plan_step(spec, properties.get(spec.name)) for spec in fields]

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what was done; options that stand there stay."""
        steps = self.plan_setup(fields)
        for spec, step in zip(fields, steps, strict=True):
            if step.act == "create":
                request = Request(new_property(spec, self._options.property_group))
                self.http.call("POST", self._property_path(), request, repeat="undone")
            elif step.act == "add choices":
                found = self._fetch_properties()[spec.name]
                request = Request({"options": [*found.options, *missing_options(spec, found)]})
                self.http.call("PATCH", f"{self._property_path()}/{spec.name}", request)
        self._defined = None
        return steps

    def add_task(self, deal_id: str, due_on: date, *, subject: str, text: str) -> str:
        """Gives the id of a new task on a deal; the token then also needs the scope crm.objects.contacts.write."""
        deal = self._read("deals", [deal_id], ["hubspot_owner_id"]).get(deal_id)
        if deal is None:
            raise CrmError("HubSpot does not hold this deal.")
        task = new_task(deal_id, due_on, subject=subject, text=text, owner=deal.get("hubspot_owner_id"))
        return str(self.http.call("POST", self._objects("tasks"), Request(task), repeat="undone")["id"])

    def _send(self, batch: Sequence[FieldChange], properties: Mapping[str, Property]) -> list[SendResult]:
        inputs = [
            {
                "id": change.deal_id,
                "properties": {name: to_hubspot(value, properties.get(name)) for name, value in change.values.items()},
                "objectWriteTraceId": change.deal_id,
            }
            for change in batch
        ]
        try:
            answer = self._post(f"{self._objects('deals')}/batch/update", {"inputs": inputs}, repeat="never")
        except CrmCallError as error:
            if concerns_all(error):
                raise
            if may_pass(error):
                return [later(change, str(error), is_certain=is_undone(error)) for change in batch]
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._send(batch[:middle], properties) + self._send(batch[middle:], properties)
            cause = find_cause(error.answer, properties) or f"HubSpot answered {error.status}"
            return [SendResult(batch[0].deal_id, error=cause)]
        return [read_result(change, answer, properties) for change in batch]

    def _fetch_activities(self, kind: str, deal_ids: Sequence[str]) -> dict[str, list[Properties]]:
        links = self._fetch_links(kind, deal_ids)
        wanted = list(dict.fromkeys(linked for ids in links.values() for linked in ids))
        found = self._read(kind, wanted, ACTIVITY_PROPERTIES[kind])
        return {deal_id: [found[linked] for linked in ids if linked in found] for deal_id, ids in links.items()}

    def _fetch_links(self, kind: str, deal_ids: Sequence[str]) -> dict[str, list[str]]:
        """Gives the ids of a deal's activities of one kind; a deal with very many comes over several answers."""
        links: dict[str, list[str]] = {deal_id: [] for deal_id in deal_ids}
        path = f"/crm/associations/{self._options.api_version}/deals/{kind}/batch/read"
        pending = [{"id": deal_id} for deal_id in deal_ids]
        while pending:
            some, pending = pending[:_LINKS], pending[_LINKS:]
            for found in self._post_whole(path, {"inputs": some}):
                deal_id = str(found["from"]["id"])
                links.setdefault(deal_id, []).extend(str(to["toObjectId"]) for to in found.get("to") or ())
                after = ((found.get("paging") or {}).get("next") or {}).get("after")
                pending += [{"id": deal_id, "after": after}] if after else []
        return links

    def _read(self, kind: str, ids: Iterable[str], properties: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """Gives the properties of each record that HubSpot holds; what can be no id of HubSpot's is not asked for."""
        wanted = [one for one in dict.fromkeys(ids) if _ID.fullmatch(one)]
        read: dict[str, dict[str, str | None]] = {}
        for low in range(0, len(wanted), _BATCH):
            inputs = [{"id": one} for one in wanted[low : low + _BATCH]]
            body = {"inputs": inputs, "properties": list(properties), "propertiesWithHistory": []}
            for found in self._post_whole(f"{self._objects(kind)}/batch/read", body):
                read[found["id"]] = {**found["properties"], "hs_object_id": found["id"]}
        return {one: read[one] for one in wanted if one in read}

    def _asked(self) -> list[str]:
        return list(dict.fromkeys((*DEAL_PROPERTIES, *self._deal_fields.names)))

    def _read_deal_fields(self, deal: Properties) -> dict[str, str]:
        """Gives what the company's own properties say of a deal; HubSpot leaves out one that it does not know without a word."""
        names = self._deal_fields.names
        defined = self._fetch_properties() if names else {}
        self._deal_fields.leave_out(set(names) - defined.keys())
        return self._deal_fields.read(lambda name: labels_of(deal.get(name), defined.get(name)))

    def _fetch_properties(self) -> dict[str, Property]:
        """Gives the deal properties by name, read anew when they are no longer fresh."""
        defined = self._defined
        if defined is None or self._clock() - defined[0] > _FRESH_S:
            found = map(Property.of, self.http.call("GET", self._property_path()).get("results") or ())
            self._defined = defined = self._clock(), {one.name: one for one in found}
        return defined[1]

    def _keep_listed(self, found: Mapping[str, Properties]) -> None:
        now = self._clock()
        with self._lock:
            fresh = {one: kept for one, kept in self._listed.items() if now - kept[0] <= _FRESH_S}
            self._listed = fresh | {one: (now, deal) for one, deal in found.items()}

    def _take_listed(self, deal_ids: Iterable[str]) -> dict[str, Properties]:
        """Gives what the last pages told of these deals, once: asked again, HubSpot is."""
        now = self._clock()
        with self._lock:
            kept = {one: self._listed.pop(one) for one in set(deal_ids) if one in self._listed}
        return {one: deal for one, (at, deal) in kept.items() if now - at <= _LISTED_FRESH_S}

    def _objects(self, kind: str) -> str:
        return f"/crm/objects/{self._options.api_version}/{kind}"

    def _property_path(self) -> str:
        return f"/crm/properties/{self._options.api_version}/deals"

    def _post(self, path: str, body: dict[str, Any], *, repeat: Repeat = "always") -> dict[str, Any]:
        answer = self.http.call("POST", path, Request(body), repeat=repeat)
        if not isinstance(answer.get("results"), list):
            raise CrmError(f"HubSpot answered {path} without results.")
        return answer

    def _post_whole(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Gives the results of a batch; that a record or a link is not there is no fault, all else would lose texts silently."""
        answer = self._post(path, body)
        for error in answer.get("errors") or ():
            if "NOT_FOUND" not in str(error.get("category")):
                raise CrmError(f"HubSpot answered in part only: {find_cause(error)}.")
        return list(answer["results"])


def _batches(changes: Sequence[FieldChange]) -> Iterator[list[FieldChange]]:
    """Gives the changes in batches, in order; HubSpot takes a deal only once in a batch."""
    batch: dict[str, FieldChange] = {}
    for change in changes:
        if len(batch) == _BATCH or change.deal_id in batch:
            yield list(batch.values())
            batch = {}
        batch[change.deal_id] = change
    if batch:
        yield list(batch.values())
