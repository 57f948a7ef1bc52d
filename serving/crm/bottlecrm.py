"""BottleCRM: lost deals with what is noted and logged on them, and our fields as custom fields of deals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.crm.bottlecrm_answers import NOT_FOUND, Row, find_cause, get_rows, is_gone, read_refusal
from serving.crm.bottlecrm_fields import is_held, new_definition, plan_step, wider_definition
from serving.crm.bottlecrm_texts import labels_of, read_request
from serving.crm.deal_fields import DealFieldNames, DealFields
from serving.crm.fields import read_words
from serving.crm.http import CrmCallError, CrmHttp, Pace, Request
from serving.crm.protocol import CrmError, FieldChange, Fields, FieldSpec, FieldValue, LostPage, SendResult, SetupStep
from serving.outgoing import open_client
from serving.settings import Settings, read_settings

_DEALS = "/api/opportunities/"
_PIPELINES = "/api/opportunities/pipelines/"
_INTERACTIONS = "/api/interactions/"
_FIELDS = "/api/custom-fields/"
_MOST_INTERACTIONS = 200
_NATURAL: DealFieldNames = {"team": "teams", "product": "line_items"}
_PREFIX = "LOSSNLP_BOTTLECRM_"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BottleCrmSettings(BaseSettings):
    """What connects to a BottleCRM; every name stands in the environment as `LOSSNLP_BOTTLECRM_<NAME>`.

    Its API has no versions.

    Args:
        url: Where the CRM stands, as `https://crm.example.com`; plain http only to this machine or a host of the same network.
        token: A personal access token of an administrator; others see only their own deals. Its scopes are none (all), or
            opportunities:read and :write, interactions:read, custom-fields:read and, to set up, :write.
        reason_field: Key of a custom field of deals that holds the loss reason the seller chose; BottleCRM has none of its own.
        deals_at_once: Deals of one page of the listing.
        calls_per_10_s: Most calls in ten seconds; the CRM itself sets no limit.

    Source: BottleCRM 1.35, its OpenAPI document and `common/scopes.py`.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    url: str = Field(pattern=r"^(https://|http://(127\.0\.0\.1|[A-Za-z0-9_-]+)(:[0-9]+)?(/|$))")
    token: SecretStr
    reason_field: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    deals_at_once: int = Field(default=100, ge=1, le=500)
    calls_per_10_s: int = Field(default=200, ge=1)


def load_bottlecrm_settings() -> BottleCrmSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that is missing or cannot be used, and why.
    """
    return read_settings(BottleCrmSettings, prefix=_PREFIX)


def connect(settings: Settings) -> BottleCrm:
    """Gives the BottleCRM that the environment names.

    Raises:
        ConfigurationError: A setting of BottleCRM is missing or wrong, or the mapping file is.
    """
    options, named = load_bottlecrm_settings(), read_words(settings.crm_words).deal_fields
    headers = {"Authorization": f"Bearer {options.token.get_secret_value()}"}
    return BottleCrm(open_client(base_url=options.url, headers=headers), options, deal_fields=named)


class BottleCrm:
    """A BottleCRM, read and written deal by deal: it has no calls for many at once.

    Args:
        client: With base URL and credentials.
        options: The settings.
        deal_fields: Keys of the fields that hold team, region, product and segment; a deal has teams and lines of products itself.
        sleep: Waits between tries; tests hand in their own.

    Source: BottleCRM 1.35, its OpenAPI document.
    """

    name = "bottlecrm"
    at_once = 25
    writes_at_once = 1

    def __init__(
        self,
        client: httpx2.Client,
        options: BottleCrmSettings,
        *,
        deal_fields: DealFieldNames | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        pace = Pace(limits=((options.calls_per_10_s, 10.0),))
        self.http = CrmHttp(client, "BottleCRM", pace, sleep=sleep, find_message=find_cause)
        self._options = options
        self._deal_fields = DealFields("BottleCRM", deal_fields or {}, _NATURAL)

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives a page of ids; one may be empty with others behind it.

        The list tells when a deal came to its stage but not when it was last edited, and cannot be filtered by the former. So
        every lost deal is listed and `since` is held against the closing date and that moment; an edit of texts alone does not
        show. The webhook `deal.lost` is the quicker way to hear of a deal.
        """
        place = _read_cursor(cursor) if cursor else _Place(self._find_stage(above=""))
        if not place.stage:
            return LostPage(())
        rows, behind = self._fetch_rows(place)
        if behind is None:
            stage = self._find_stage(above=place.stage)
            behind = _Place(stage) if stage else None
        ids = tuple(str(row["id"]) for row in rows if _is_lost_since(row, since))
        return LostPage(ids, cursor=behind.cursor if behind else None)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals with their notes, comments and interactions; two calls a deal, one more where the company names fields."""
        customs = self._fetch_customs() if deal_ids else {}
        found: dict[str, dict[str, Any]] = {}
        for deal_id in dict.fromkeys(deal_ids):
            page = self._find_deal(deal_id)
            if page is not None and page["opportunity_obj"].get("stage_kind") == "lost":
                logged = self._fetch_interactions(deal_id)
                found[deal_id] = read_request(page, logged, reason_field=self._options.reason_field)
                found[deal_id]["deal"] |= self._deal_fields.read(partial(labels_of, page["opportunity_obj"], customs))
        return found

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives the custom fields of each deal; one call a deal. Empty ones are left out."""
        pages = {deal_id: self._find_deal(deal_id) for deal_id in dict.fromkeys(deal_ids)}
        return {deal_id: _custom_fields(page) for deal_id, page in pages.items() if page is not None}

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change, in the same order; two calls a deal, three where `before` is told.

        BottleCRM drops a field that it does not know without a word. So a change that names one is not sent at all, and what
        was sent is read back. It has no conditional write either. So a deal is read once more just before it is written, and
        where something else than `before` stands, the change is refused until it is decided anew.

        Raises:
            CrmError: The token is not accepted, or lacks a scope.
        """
        names = set(self._fetch_active())
        return [self._send(change, names) for change in changes]

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what is missing, a step a field."""
        definitions = {found["key"]: found for found in self._fetch_definitions()}
        return [plan_step(spec, definitions.get(spec.name)) for spec in fields]

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what was done; values that stand in a picklist stay."""
        definitions = {found["key"]: found for found in self._fetch_definitions()}
        steps = [plan_step(spec, definitions.get(spec.name)) for spec in fields]
        for spec, step in zip(fields, steps, strict=True):
            if step.act == "create":
                self.http.call("POST", _FIELDS, Request(new_definition(spec)), repeat="undone")
            elif step.act == "add choices":
                found = definitions[spec.name]
                self.http.call("PUT", f"{_FIELDS}{found['id']}/", Request(wider_definition(spec, found)))
        return steps

    def _send(self, change: FieldChange, names: Collection[str]) -> SendResult:
        if not _ID.fullmatch(change.deal_id):
            return SendResult(change.deal_id, NOT_FOUND)
        unknown = [name for name in change.values if name not in names]
        if unknown:
            return SendResult(change.deal_id, f"no such field: {', '.join(unknown)}")
        try:
            obstacle = None if change.before is None else self._find_obstacle(change, change.before)
            if obstacle:
                return obstacle
            request = Request({"custom_fields": dict(change.values)})
            self.http.call("PATCH", f"{_DEALS}{change.deal_id}/", request, repeat="never")
        except CrmCallError as error:
            return read_refusal(change, error)
        return self._read_back(change)

    def _find_obstacle(self, change: FieldChange, before: Mapping[str, FieldValue]) -> SendResult | None:
        """Gives the refusal where a field holds neither what it held when the change was decided, nor what it is to hold."""
        page = self._find_deal(change.deal_id)
        if page is None:
            return SendResult(change.deal_id, NOT_FOUND)
        held = {name: _custom_fields(page).get(name) for name in change.values}
        if all(is_held(there, before.get(name)) or is_held(there, change.values[name]) for name, there in held.items()):
            return None
        return SendResult(change.deal_id, "changed since it was decided", is_retryable=True)

    def _read_back(self, change: FieldChange) -> SendResult:
        try:
            page = self._find_deal(change.deal_id)
        except CrmError as error:
            return SendResult(change.deal_id, f"not read back: {error}", is_retryable=True, is_certain=False)
        if page is None:
            return SendResult(change.deal_id, NOT_FOUND)
        held = _custom_fields(page)
        unset = [name for name, value in change.values.items() if not is_held(held.get(name), value)]
        if unset:
            return SendResult(change.deal_id, f"not set: {', '.join(unset)}", is_retryable=True, is_certain=False)
        return SendResult(change.deal_id)

    def _fetch_rows(self, place: _Place) -> tuple[list[Row], _Place | None]:
        """Gives the deals behind a place, and the place behind them, None at the end.

        The CRM sorts by id, highest first, and counts places. A deal that leaves the list moves all behind it, and a plain count
        would skip one. So the row before is read again: where it is not the one it was, the count steps back.
        """
        size = self._options.deals_at_once
        offset = max(0, place.offset - 1)
        while True:
            query = {"stage": place.stage, "limit": size + bool(place.offset), "offset": offset}
            answer = self.http.call("GET", _DEALS, Request(query=query))
            rows = get_rows(answer, "opportunities")
            if not offset or (rows and rows[0]["id"] >= place.last_id):
                break
            offset = max(0, offset - size)
        new = [row for row in rows if not place.last_id or row["id"] < place.last_id]
        end = offset + len(rows)
        if not rows or end >= int(answer["opportunities_count"]):
            return new, None
        return new, replace(place, offset=end, last_id=str(new[-1]["id"]) if new else place.last_id)

    def _find_stage(self, *, above: str) -> str:
        """Gives the next code of a lost stage, empty behind the last.

        The filter by stage takes parts of a code: one that holds another is listed with that other.
        """
        pipelines = get_rows(self.http.call("GET", _PIPELINES), "pipelines")
        stages = [stage for pipeline in pipelines for stage in pipeline["stages"] if stage["kind"] == "lost"]
        codes = {str(stage["code"]) for stage in stages}
        plain = [code for code in codes if not any(other in code for other in codes - {code})]
        return min((code for code in plain if code > above), default="")

    def _find_deal(self, deal_id: str) -> Row | None:
        """Gives the page of a deal, None where the CRM holds none of that id."""
        if not _ID.fullmatch(deal_id):
            return None
        page = self._find(f"{_DEALS}{deal_id}/", Request())
        if page is not None and not isinstance(page.get("opportunity_obj"), dict):
            raise CrmError("BottleCRM answered without a deal.")
        return page

    def _fetch_interactions(self, deal_id: str) -> list[Row]:
        """Gives all that was logged on a deal, each once."""
        found: dict[str, Row] = {}
        offset = 0
        while True:
            query = {"opportunity": deal_id, "limit": _MOST_INTERACTIONS, "offset": offset}
            answer = self._find(_INTERACTIONS, Request(query=query))
            rows = get_rows(answer, "interactions") if answer else []
            found |= {row["id"]: row for row in rows}
            offset += len(rows)
            if not rows or answer is None or offset >= int(answer["count"]):
                return list(found.values())

    def _fetch_customs(self) -> dict[str, Row]:
        """Gives the custom fields of deals by key; none where only fields are read that every deal has."""
        if set(self._deal_fields.names) <= set(_NATURAL.values()):
            return {}
        return self._fetch_active()

    def _fetch_active(self) -> dict[str, Row]:
        """Gives the custom fields of deals by key, without those that are switched off."""
        return {str(found["key"]): found for found in self._fetch_definitions() if found.get("is_active")}

    def _fetch_definitions(self) -> list[Row]:
        """Gives the custom fields of deals, those too that are switched off."""
        query = {"target_model": "Opportunity", "include_counts": "false"}
        return get_rows(self.http.call("GET", _FIELDS, Request(query=query)), "definitions")

    def _find(self, path: str, request: Request) -> Row | None:
        """Gives an answer, None where the CRM says that there is no such record."""
        try:
            return self.http.call("GET", path, request)
        except CrmCallError as error:
            if is_gone(error):
                return None
            raise


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the listing is: among the deals of which stage, at which count, behind which id."""

    stage: str
    offset: int = 0
    last_id: str = ""

    @property
    def cursor(self) -> str:
        return f"{self.offset}:{self.last_id}:{self.stage}"


def _read_cursor(cursor: str) -> _Place:
    offset, last_id, stage = [*cursor.split(":", 2), "", ""][:3]
    if not (offset.isascii() and offset.isdigit()) or not stage:
        raise CrmError("The cursor is none of BottleCRM's.")
    return _Place(stage, int(offset), last_id)


def _is_lost_since(row: Row, since: datetime | None) -> bool:
    if row.get("stage_kind") != "lost":
        return False
    if since is None:
        return True
    moved = row.get("stage_changed_at")
    is_moved = moved is not None and datetime.fromisoformat(moved).timestamp() >= since.timestamp()
    return is_moved or str(row.get("closed_on") or "") >= since.astimezone(UTC).date().isoformat()


def _custom_fields(page: Row) -> Fields:
    return dict(page["opportunity_obj"].get("custom_fields") or {})
