"""Tryton: lost opportunities with their notes and mails, and our fields in the reason for loss and in a note.

Read are comment, reason for loss and notes of an opportunity, and the mails sent from it. Attachments and chats (one call a
deal, and never shown by a search) are not.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.crm.deal_fields import DealFieldNames, DealFields, walk
from serving.crm.fields import read_words
from serving.crm.http import CrmCallError, CrmHttp, Pace, Repeat, Request
from serving.crm.protocol import CrmError, FieldChange, Fields, FieldSpec, LostPage, SendResult, SetupStep
from serving.crm.tryton_kept import Kept, find_update, read_kept
from serving.crm.tryton_texts import DEAL_FIELDS, MAIL_FIELDS, Row, read_request, tagged, tagged_day
from serving.outgoing import open_client
from serving.settings import Settings, read_settings

_PREFIX = "LOSSNLP_TRYTON_"
_DEAL = "sale.opportunity"
_AT_ONCE = 100  # deals in the address of one call, which many proxies end at 8,000 characters
_ID = re.compile(r"[1-9][0-9]{0,8}")
_NATURAL: DealFieldNames = {"product": "lines.product.name"}
_NEEDED = ("end_date", "comment", "lost_reason", "notes")
_KEPT_FIELDS = ("lost_reason", "notes.message")
_VALUE = re.compile(r'The value ".*?" for field', re.DOTALL)
_LONG_QUOTE = re.compile(r'"[^"]{41,}"')


class TrytonSettings(BaseSettings):
    """What connects to a Tryton database; every name stands in the environment as `LOSSNLP_TRYTON_<NAME>`.

    Args:
        url: Where the server stands, with its prefix where it has one.
        database: Name of the database.
        key: Of a user application for the REST API. Its user needs the group Sale Opportunity and a current company.
        reason_field: Name of the field that leads the reason for loss, where the company has its own name for it.
        page_size: Most deals on a page of lost ones.

    Source: Tryton 8.2, "User Application" and its REST API (new in 8.0).
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    url: str = Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])")
    database: str = Field(min_length=1)
    key: SecretStr
    reason_field: str = Field(default="lossnlp_primary_reason", min_length=1)
    page_size: int = Field(default=500, ge=1, le=1000)


def load_tryton_settings() -> TrytonSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that is missing or cannot be used, and why.
    """
    return read_settings(TrytonSettings, prefix=_PREFIX)


def connect(settings: Settings) -> TrytonCrm:
    """Gives the Tryton database that the environment names; nothing is called yet.

    Raises:
        ConfigurationError: A setting of Tryton is missing or wrong, or the mapping file is.
    """
    return connect_database(load_tryton_settings(), deal_fields=read_words(settings.crm_words).deal_fields)


def connect_database(
    options: TrytonSettings,
    *,
    deal_fields: DealFieldNames | None = None,
    transport: httpx2.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> TrytonCrm:
    """Gives the database of the settings.

    Args:
        options: Address, key and names.
        deal_fields: Fields of an opportunity, or paths through its records, that hold team, region, product and segment.
        transport: Carries the calls; None is the network.
        sleep: Waits between tries; tests hand in their own.
    """
    headers = {"Authorization": f"Bearer {options.key.get_secret_value()}", "Accept": "application/json"}
    base = f"{options.url.rstrip('/')}/{quote(options.database, safe='')}/rest/model"
    client = open_client(base_url=base, headers=headers, transport=transport)
    http = CrmHttp(client, "Tryton", Pace(), sleep=sleep, find_message=_find_cause)
    return TrytonCrm(http, options, deal_fields=deal_fields)


class TrytonCrm:
    """The opportunities of one Tryton database, as far as the key's user sees them.

    Args:
        http: Calls below the database's models.
        options: The settings.
        deal_fields: As `connect_database` takes them; an opportunity has lines of products itself.
    """

    name = "tryton"
    at_once = 100
    writes_at_once = 1

    def __init__(self, http: CrmHttp, options: TrytonSettings, *, deal_fields: DealFieldNames | None = None) -> None:
        self.http, self._reason_field, self._page_size = http, options.reason_field, options.page_size
        self._deal_fields = DealFields("Tryton", deal_fields or {}, _NATURAL)

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives a page of ids, lowest first; a note added later counts as a change of its deal.

        The cursor is the last id of a page, not an offset: one would skip a deal when another leaves the list meanwhile.

        Raises:
            CrmError: The CRM cannot be read, or the cursor is none of ours.
        """
        if cursor is not None and not _ID.fullmatch(cursor):
            raise CrmError("The place in the list of Tryton is not one that it gave.")
        domain = [["state", "=", "lost"], ["id", ">", int(cursor or 0)], *_recent(since)]
        query = {"s": self._page_size, "o": _encoded([["id", "ASC"]])}
        ids = tuple(str(row["id"]) for row in self._search(_DEAL, domain, ("id",), query))
        return LostPage(ids, cursor=ids[-1] if len(ids) == self._page_size else None)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals with their texts; two calls for 100 deals.

        Raises:
            CrmError: The CRM cannot be read, or hides a field that texts stand in.
        """
        found: dict[str, dict[str, Any]] = {}
        for ids in _chunks(deal_ids):
            deals = self._fetch_told(ids)
            deals = {deal_id: deal for deal_id, deal in deals.items() if deal["state"] == "lost"}
            mails = self._fetch_mails(list(deals))
            for deal_id, deal in deals.items():
                found[deal_id] = read_request(deal, mails.get(deal_id, []), self._reason_field)
                found[deal_id]["deal"] |= self._deal_fields.read(partial(walk, deal))
        return {deal_id: found[deal_id] for deal_id in deal_ids if deal_id in found}

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives our fields of each deal, one call for 100; what a person wrote as reason for loss stands in the reason's field.

        Raises:
            CrmError: The CRM cannot be read.
        """
        found = {deal_id: kept for ids in _chunks(deal_ids) for deal_id, kept in self._fetch_kept(ids).items()}
        return {deal_id: found[deal_id].fields for deal_id in deal_ids if deal_id in found}

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change, in the same order; a call for each, and one to read each 100.

        Line and note of a deal go in one call and stand together or not at all. Where they stand already, nothing is sent; where
        something else than `before` stands, the change is refused until it is decided anew.

        Raises:
            CrmError: The key is not accepted, or the deals cannot be read.
        """
        return [result for batch in _batches(changes) for result in self._send_batch(batch)]

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives where each field is kept; something is to be done only where the key's user does not see what we need.

        Raises:
            CrmError: The CRM cannot be read.
        """
        hidden = self._find_hidden()
        if hidden:
            detail = f"Give the key's user read and write access to {hidden}, as the group Sale Opportunity has it."
            return [SetupStep(spec.name, "by hand", detail) for spec in fields]
        return [SetupStep(spec.name, "stands", self._place(spec.name)) for spec in fields]

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what `plan_setup` gives: Tryton takes no fields through its API, and ours need none.

        Raises:
            CrmError: The CRM cannot be read.
        """
        return self.plan_setup(fields)

    def _place(self, name: str) -> str:
        return "leads the reason for loss" if name == self._reason_field else "kept beside it, in one note of ours"

    def _find_hidden(self) -> str | None:
        """Gives what the key's user may not read or write, None where nothing is found to be missing."""
        try:
            rows = self._search(_DEAL, [], ("id", *_KEPT_FIELDS), {"s": 1})
            # A write of no deal changes nothing, and is refused to who may not write
            self.http.call("POST", f"/{_DEAL}/write", Request({"records": [], "values": {"lost_reason": None}}))
        except CrmCallError as error:
            if error.status not in (400, 403):
                raise
            return "leads and opportunities"
        return ", ".join(_missing(row, ("lost_reason", "notes")) for row in rows) or None

    def _send_batch(self, batch: Sequence[FieldChange]) -> list[SendResult]:
        ids = [change.deal_id for change in batch if _ID.fullmatch(change.deal_id)]
        try:
            kept = self._fetch_kept(ids)
        except CrmCallError as error:
            if not error.is_retryable:
                raise
            return [SendResult(change.deal_id, error=str(error), is_retryable=True) for change in batch]
        return [self._send(change, kept.get(change.deal_id)) for change in batch]

    def _send(self, change: FieldChange, kept: Kept | None) -> SendResult:
        if kept is None:
            return SendResult(change.deal_id, error="Tryton holds no such deal")
        if _is_newer(kept, change):
            return SendResult(change.deal_id, error="changed since it was decided", is_retryable=True)
        try:
            update = find_update(kept, change.values, self._reason_field)
            if update:
                request = Request(update, query={"f": "id"})
                self.http.call("PUT", f"/{_DEAL}/{change.deal_id}", request, repeat="never")
        except CrmCallError as error:
            if error.status == 401:
                raise
            return SendResult(change.deal_id, str(error), error.is_retryable, error.is_certain)
        except ValueError as error:
            return SendResult(change.deal_id, error=str(error))
        return SendResult(change.deal_id)

    def _fetch_kept(self, ids: Sequence[str]) -> dict[str, Kept]:
        deals = self._fetch_deals(ids, _KEPT_FIELDS, needed=("lost_reason", "notes"))
        return {
            deal_id: read_kept(deal["lost_reason"], deal["notes"], self._reason_field)
            for deal_id, deal in deals.items()
        }

    def _fetch_mails(self, deal_ids: Sequence[str]) -> dict[str, list[Row]]:
        """Gives the mails of each deal, oldest first."""
        found: dict[str, list[Row]] = {}
        if not deal_ids:
            return found
        domain = [["resource", "in", [f"{_DEAL},{deal_id}" for deal_id in deal_ids]]]
        for mail in self._search("ir.email", domain, MAIL_FIELDS, {"o": _encoded([["id", "ASC"]])}):
            _require(mail, MAIL_FIELDS)
            found.setdefault(mail["resource"].partition(",")[2], []).append(mail)
        return found

    def _fetch_told(self, ids: Sequence[str]) -> dict[str, Row]:
        """Gives all that a request holds of each deal; a field of the company's that breaks the call is asked for no longer."""
        try:
            return self._fetch_deals(ids, (*DEAL_FIELDS, *self._deal_fields.names), needed=_NEEDED)
        except CrmCallError as error:
            refused = [name for name in self._deal_fields.names if error.status == 500 and self._is_refused(ids, name)]
            if not refused:
                raise
        self._deal_fields.leave_out(refused)
        return self._fetch_deals(ids, (*DEAL_FIELDS, *self._deal_fields.names), needed=_NEEDED)

    def _is_refused(self, ids: Sequence[str], name: str) -> bool:
        """Says whether Tryton fails at a field, which it does at one that it does not know, and tells no more."""
        try:
            self._fetch_deals(ids, ("id", name), needed=(), repeat="never")
        except CrmCallError as error:
            if error.status != 500:
                raise
            return True
        return False

    def _fetch_deals(
        self, ids: Sequence[str], fields: Sequence[str], *, needed: Sequence[str], repeat: Repeat = "always"
    ) -> dict[str, Row]:
        if not ids:
            return {}
        request = _search_for([["id", "in", [int(deal_id) for deal_id in ids]]], fields)
        rows = self.http.call_list("GET", f"/{_DEAL}", request, repeat=repeat)
        for row in rows:
            _require(row, needed)
        return {str(row["id"]): row for row in rows}

    def _search(
        self, model: str, domain: Sequence[object], fields: Sequence[str], query: Mapping[str, object] | None = None
    ) -> list[Row]:
        return self.http.call_list("GET", f"/{model}", _search_for(domain, fields, query))


def _search_for(domain: Sequence[object], fields: Sequence[str], query: Mapping[str, object] | None = None) -> Request:
    return Request(query={"d": _encoded(domain), "f": list(fields), **(query or {})})


def _recent(since: datetime | None) -> list[list[Any]]:
    """Gives the condition of being changed, closed or noted on at or after a moment; a new record has no `write_date` yet."""
    if since is None:
        return []
    at = since.astimezone(UTC)
    moment = tagged(at)
    changed = [[name, ">=", moment] for name in ("write_date", "create_date", "notes.create_date")]
    return [["OR", *changed, ["end_date", ">=", tagged_day(at.date())]]]


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def _chunks(deal_ids: Sequence[str]) -> Iterator[list[str]]:
    """Gives the ids that can be some, each once, 100 at a time."""
    ids = [deal_id for deal_id in dict.fromkeys(deal_ids) if _ID.fullmatch(deal_id)]
    return (ids[low : low + _AT_ONCE] for low in range(0, len(ids), _AT_ONCE))


def _batches(changes: Sequence[FieldChange]) -> Iterator[list[FieldChange]]:
    """Gives the changes in batches, in order; a deal stands only once in each, for what it holds is read before."""
    batch: dict[str, FieldChange] = {}
    for change in changes:
        if len(batch) == _AT_ONCE or change.deal_id in batch:
            yield list(batch.values())
            batch = {}
        batch[change.deal_id] = change
    if batch:
        yield list(batch.values())


def _is_newer(kept: Kept, change: FieldChange) -> bool:
    """Says whether a field holds neither what it held when the change was decided, nor what it is to hold."""
    if change.before is None:
        return False
    return any(kept.fields.get(name) not in (change.before.get(name), value) for name, value in change.values.items())


def _require(row: Row, fields: Sequence[str]) -> None:
    """Raises where a field is missing, which Tryton leaves out silently when the key's user may not read it."""
    hidden = _missing(row, fields)
    if hidden:
        raise CrmError(f"Tryton does not show {hidden} to the user of this key.")


def _missing(row: Row, fields: Sequence[str]) -> str:
    return ", ".join(name for name in fields if name not in row)


def _find_cause(answer: object) -> str | None:
    """Gives what Tryton says of a refusal, without long quotes, which may be of a deal."""
    message = answer.get("message") if isinstance(answer, dict) else None
    told = _VALUE.sub("The value … for field", message) if isinstance(message, str) else None
    return _LONG_QUOTE.sub('"…"', told) if told else None
