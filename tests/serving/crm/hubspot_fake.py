"""A stateful stand-in for the part of HubSpot's API that the connector uses, as a WSGI application.

It checks requests as HubSpot's pages say (version 2026-09) and answers only what HubSpot would. Written by hand from those pages.
The paths of v3 and v4 stand beside the dated ones, as HubSpot serves them until 2027.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

TOKEN = "pat-eu1-test"  # noqa: S105 - of the stand-in
VERSION = "2026-09"
SCOPES = frozenset({"crm.objects.deals.read", "crm.objects.deals.write", "crm.schemas.deals.write", "sales-email-read"})
_FITS = {
    "string": {"text", "textarea", "html", "file", "phonenumber"},
    "number": {"number"},
    "bool": {"booleancheckbox"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
    "date": {"date"},
    "datetime": {"date"},
}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda held, asked: held == asked,
    "GT": lambda held, asked: held > asked,
    "GTE": lambda held, asked: held >= asked,
    "LT": lambda held, asked: held < asked,
    "LTE": lambda held, asked: held <= asked,
}
_NATIVE = {
    "dealname": ("string", "text", False),
    "dealstage": ("enumeration", "radio", False),
    "closedate": ("datetime", "date", False),
    "createdate": ("datetime", "date", False),
    "amount": ("number", "number", False),
    "deal_currency_code": ("enumeration", "select", False),
    "hubspot_owner_id": ("enumeration", "select", False),
    "closed_lost_reason": ("string", "textarea", False),
    "description": ("string", "textarea", False),
    "hs_is_closed_lost": ("bool", "booleancheckbox", True),
    "hs_lastmodifieddate": ("datetime", "date", True),
    "hs_object_id": ("number", "number", True),
}
_ALWAYS = ("createdate", "hs_lastmodifieddate", "hs_object_id")
_START = datetime(2026, 11, 2, 12, tzinfo=UTC)


class RefusalError(Exception):
    """An error answer."""

    def __init__(self, status: int, category: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"status": "error", "category": category, "message": message, **more}


@dataclass
class Fault:
    """What the next call gets instead of its answer; `is_done` says that it was carried out all the same."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    is_done: bool = False


def rate_limited(**headers: str) -> Fault:
    body = {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
    }
    return Fault(429, headers, body | {"policyName": "TEN_SECONDLY_ROLLING"})


class HubSpotFake:
    """One HubSpot account.

    Args:
        scopes: What the token may do.
    """

    def __init__(self, scopes: Iterable[str] = SCOPES) -> None:
        self.scopes = set(scopes)
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.required: list[tuple[str, str, str]] = []
        self.is_multi_status = False
        self.links_a_page = 500
        self.records: dict[str, dict[str, dict[str, str]]] = {
            kind: {} for kind in ("deals", "notes", "calls", "meetings", "emails", "tasks")
        }
        self.links: dict[tuple[str, str], list[str]] = {}
        self.properties = {name: _native(name, *shape) for name, shape in _NATIVE.items()}
        self._ids = count(20_000_000_001, 7)
        self._ticks = count()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answers one HTTP call."""
        status, headers, body = self._handle(environ)
        payload = json.dumps({**body, "correlationId": "c0ffee"} if status >= 400 else body).encode()
        start_response(f"{status} -", [("Content-Type", "application/json;charset=utf-8"), *headers.items()])
        return [payload]

    def add(self, kind: str, properties: dict[str, str | None], deal_ids: Sequence[str] = ()) -> str:
        """Gives the id of a new record, logged on the deals."""
        new_id = str(next(self._ids))
        self.records[kind][new_id] = {}
        self._store(kind, new_id, {"createdate": _iso(_START), **properties})
        for deal_id in deal_ids:
            self.links.setdefault((deal_id, kind), []).append(new_id)
        return new_id

    def set_by_person(self, deal_id: str, properties: dict[str, str]) -> None:
        self._store("deals", deal_id, properties)

    def define(self, name: str, *shape: str, **options: str) -> None:
        """Adds a property of the company's own: type and field type, and the labels of its options by value."""
        type_, field_type = shape or ("string", "text")
        listed = [{"value": value, "label": label, "hidden": False} for value, label in options.items()]
        own = {"hubspotDefined": False, "options": listed}
        self.properties[name] = {**_native(name, type_, field_type, is_fixed=False), **own}

    def delete(self, deal_id: str) -> None:
        del self.records["deals"][deal_id]

    def _handle(self, environ: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.calls.append((method, path))
        fault = self.faults.pop(0) if self.faults else None
        if fault and not fault.is_done:
            return fault.status, fault.headers, fault.body
        try:
            self._require_token(environ.get("HTTP_AUTHORIZATION", ""))
            status, body = self._route(method, path, _json(raw, environ) if raw else {})
        except RefusalError as refusal:
            status, body = refusal.status, refusal.body
        return (fault.status, fault.headers, fault.body) if fault else (status, {}, body)

    def _route(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.bodies.append(body)
        path, version = _dated(path)
        if found := re.fullmatch(rf"/crm/objects/{VERSION}/(\w+)/(search|batch/read|batch/update)", path):
            self._require_kind(found[1])
            if method == "POST":
                acts = {"search": self._search, "batch/read": self._read, "batch/update": self._update}
                return acts[found[2]](found[1], body)
        if method == "POST" and path == f"/crm/objects/{VERSION}/tasks":
            return self._create_task(body)
        if method == "POST" and (found := re.fullmatch(rf"/crm/associations/{VERSION}/deals/(\w+)/batch/read", path)):
            self._require_kind(found[1])
            status, answer = self._read_links(found[1], body)
            return status, _with_old_links(answer, found[1]) if version == "v3" else answer
        if found := re.fullmatch(rf"/crm/properties/{VERSION}/deals(?:/(\w+))?", path):
            return self._properties(method, found[1], body)
        raise RefusalError(404, "OBJECT_NOT_FOUND", "Unable to find the resource")

    def _properties(self, method: str, name: str | None, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "GET" and name is None:
            return 200, {"results": list(self.properties.values())}
        if method == "GET" and name in self.properties:
            return 200, self.properties[name]
        self._require_scope("crm.schemas.deals.write")
        if method == "POST" and name is None:
            if body.get("name") in self.properties:
                raise RefusalError(409, "OBJECT_ALREADY_EXISTS", "A property of that name exists")
            definition = {**_DEFINITION, **body}
            _check_definition(definition)
            self.properties[body["name"]] = definition
            return 201, definition
        if method == "PATCH" and name in self.properties:
            definition = {**self.properties[name], **body}
            _check_definition(definition)
            self.properties[name] = definition
            return 200, definition
        raise RefusalError(404, "OBJECT_NOT_FOUND", "No such property")

    def _search(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        groups = body.get("filterGroups", [])
        filters = [len(group["filters"]) for group in groups]
        limit, after = body.get("limit", 10), body.get("after", "0")
        if len(groups) > 5 or sum(filters) > 18 or max(filters, default=0) > 6 or len(body.get("sorts", [])) > 1:
            raise _invalid("Too many filters or sorts")
        if not (1 <= limit <= 200) or not str(after).isdigit() or int(after) + limit > 10_000:
            raise _invalid("Paging is out of range")
        if len(json.dumps(body)) > 3_000:
            raise _invalid("The query is too long")
        found = [one for one in self.records[kind] if any(self._fits(kind, one, group) for group in groups or [_ALL])]
        for sort in body.get("sorts", []):
            found.sort(key=lambda one: self._typed(kind, one, sort["propertyName"]))
            found = found[::-1] if sort.get("direction") == "DESCENDING" else found
        low = int(after)
        page = [self._record(kind, one, body.get("properties", [])) for one in found[low : low + limit]]
        paging = {"paging": {"next": {"after": str(low + limit)}}} if low + limit < len(found) else {}
        return 200, {"total": len(found), "results": page, **paging}

    def _fits(self, kind: str, record_id: str, group: dict[str, Any]) -> bool:
        return all(self._fits_one(kind, record_id, one) for one in group["filters"])

    def _fits_one(self, kind: str, record_id: str, one: dict[str, Any]) -> bool:
        name = one["propertyName"]
        if name not in self.properties or one["operator"] not in _OPERATORS:
            raise _invalid(f"There was a problem with the request: {name} {one['operator']}")
        held = self._typed(kind, record_id, name)
        asked = one["value"] if isinstance(held, str) else float(one["value"])
        return held is not None and _OPERATORS[one["operator"]](held, asked)

    def _typed(self, kind: str, record_id: str, name: str) -> Any:
        value = self.records[kind][record_id].get(name)
        type_ = self.properties[name]["type"]
        if type_ == "datetime" and value:
            return datetime.fromisoformat(value).timestamp() * 1000
        return float(value) if type_ == "number" and value else value

    def _read(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if kind == "emails":
            self._require_scope("sales-email-read")
        ids = _ids_of(body, 100)
        found = [self._record(kind, one, body.get("properties", [])) for one in ids if one in self.records[kind]]
        return _batch(found, self._missing(kind, ids))

    def _update(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self._require_scope("crm.objects.deals.write")
        ids = _ids_of(body, 100)
        if twice := {one for one in ids if ids.count(one) > 1}:
            raise _invalid(f"Duplicate IDs found in batch input: {sorted(twice)}. IDs must be unique")
        errors = self._missing(kind, ids)
        good = []
        for one in body["inputs"]:
            if one["id"] not in self.records[kind]:
                continue
            try:
                self._check_values(kind, one["id"], one["properties"])
                good.append(one)
            except RefusalError as refusal:
                if not (self.is_multi_status and one.get("objectWriteTraceId")):
                    raise
                errors.append(refusal.body | {"context": {"objectWriteTraceId": [one["objectWriteTraceId"]]}})
        for one in good:
            self._store(kind, one["id"], one["properties"])
        return _batch([self._record(kind, one["id"], list(one["properties"])) for one in good], errors)

    def _create_task(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self._require_scope("crm.objects.contacts.write")
        deal_ids = [str(one["to"]["id"]) for one in body.get("associations", [])]
        types = {link["associationTypeId"] for one in body.get("associations", []) for link in one["types"]}
        if not body["properties"].get("hs_timestamp") or types - {216} or set(deal_ids) - self.records["deals"].keys():
            raise _invalid("A task needs a due date, and the type and id of what it hangs on")
        return 201, {"id": self.add("tasks", body["properties"], deal_ids), "properties": body["properties"]}

    def _read_links(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        results, errors = [], []
        _ids_of(body, 1_000)
        for one in body["inputs"]:
            links = [to for to in self.links.get((one["id"], kind), []) if to in self.records[kind]]
            low = int(one.get("after", "0"))
            page = links[low : low + self.links_a_page]
            to = [{"toObjectId": int(link), "associationTypes": [{"typeId": 1}]} for link in page]
            more = low + self.links_a_page
            paging = {"paging": {"next": {"after": str(more)}}} if more < len(links) else {}
            if page:
                results.append({"from": {"id": one["id"]}, "to": to, **paging})
            else:
                errors.append(_no_links(one["id"], kind))
        return _batch(results, errors)

    def _check_values(self, kind: str, record_id: str, values: dict[str, str]) -> None:
        wrong = [fault for name, value in values.items() if (fault := self._find_fault(name, value))]
        if wrong:
            raise _invalid(f"Property values were not valid: {json.dumps(wrong)}")
        merged = self.records[kind][record_id] | values
        for name, value, required in self.required:
            if merged.get(name) == value and not merged.get(required):
                error = {"message": "A required property is missing", "context": {"propertyName": [required]}}
                raise RefusalError(
                    400, "VALIDATION_ERROR", f"{required} is required for {merged['dealname']}", errors=[error]
                )

    def _find_fault(self, name: str, value: str) -> dict[str, Any] | None:
        definition = self.properties.get(name)
        if definition is None:
            return _fault(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if definition["modificationMetadata"]["readOnlyValue"]:
            return _fault(name, "READ_ONLY_VALUE", f"{name} is a read only property")
        if not isinstance(value, str) or len(value) > 65_536:
            return _fault(name, "INVALID_STRING", f"{value} is not a string that fits")
        if value and not _is_valid(value, definition):
            error = "INVALID_OPTION" if definition["options"] else f"INVALID_{definition['type'].upper()}"
            return _fault(name, error, f"{value} was not one of the allowed options or forms")
        return None

    def _store(self, kind: str, record_id: str, values: dict[str, str | None]) -> None:
        record = self.records[kind][record_id]
        for name, value in values.items():
            definition = self.properties.get(name) if kind == "deals" else None
            record[name] = _kept(value or "", definition["type"] if definition else "string")
        record["hs_object_id"] = record_id
        record["hs_lastmodifieddate"] = _iso(_START + timedelta(seconds=next(self._ticks)))
        if kind == "deals":
            record["hs_is_closed_lost"] = "true" if record.get("dealstage") == "closedlost" else "false"

    def _record(self, kind: str, record_id: str, names: Sequence[str]) -> dict[str, Any]:
        held = self.records[kind][record_id]
        known = [name for name in names if kind != "deals" or name in self.properties]
        properties = {name: held.get(name) or None for name in (*known, *_ALWAYS)}
        stamps = {"createdAt": held["createdate"], "updatedAt": held["hs_lastmodifieddate"]}
        return {"id": record_id, "properties": properties, **stamps, "archived": False}

    def _missing(self, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        gone = [one for one in ids if one not in self.records[kind]]
        message = f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid."
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": gone}}
        return [error] if gone else []

    def _require_token(self, header: str) -> None:
        if header != f"Bearer {TOKEN}":
            raise RefusalError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")

    def _require_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            errors = [
                {"message": "One or more of the scopes is needed", "context": {"requiredGranularScopes": [scope]}}
            ]
            raise RefusalError(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes", errors=errors)

    def _require_kind(self, kind: str) -> None:
        if kind not in self.records:
            raise RefusalError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")


_ALL: dict[str, Any] = {"filters": []}
_DEFINITION: dict[str, Any] = {
    "options": [],
    "hubspotDefined": False,
    "calculated": False,
    "archived": False,
    "modificationMetadata": {"readOnlyValue": False, "readOnlyOptions": False, "readOnlyDefinition": False},
}


def _native(name: str, type_: str, field_type: str, is_fixed: bool) -> dict[str, Any]:
    more = {"name": name, "label": name, "groupName": "dealinformation", "type": type_, "fieldType": field_type}
    return {**_DEFINITION, **more, "hubspotDefined": True, "modificationMetadata": {"readOnlyValue": is_fixed}}


def _check_definition(body: dict[str, Any]) -> None:
    lacking = [key for key in ("name", "label", "groupName", "type", "fieldType") if not body.get(key)]
    if lacking or not re.fullmatch("[a-z][a-z0-9_]{0,99}", body["name"]):
        raise _invalid(f"Property definition is incomplete: {lacking}")
    if body["groupName"] != "dealinformation":
        raise RefusalError(404, "OBJECT_NOT_FOUND", "The property group does not exist")
    if body["fieldType"] not in _FITS.get(body["type"], ()):
        raise _invalid("fieldType does not fit type")
    if body["type"] == "enumeration" and not body["options"]:
        raise _invalid("An enumeration needs options")
    if any(not {"label", "value", "hidden", "displayOrder"} <= set(option) for option in body["options"]):
        raise _invalid("An option is incomplete")
    values = [option["value"] for option in body["options"]]
    if len(set(values)) < len(values):
        raise _invalid("Option values must be unique")


def _is_valid(value: str, definition: dict[str, Any]) -> bool:
    if definition["options"]:
        parts = value.split(";") if definition["fieldType"] == "checkbox" else [value]
        return set(parts) <= {option["value"] for option in definition["options"]}
    try:
        _kept(value, definition["type"])
    except ValueError:
        return False
    return definition["type"] != "bool" or value in ("true", "false")


def _kept(value: str, type_: str) -> str:
    """Gives a value as HubSpot keeps it.

    Raises:
        ValueError: It is none of its type.
    """
    if not value:
        return ""
    if type_ == "number":
        float(value)
    if type_ == "date":
        return date.fromisoformat(value).isoformat()
    if type_ == "datetime":
        if not value.endswith("Z"):
            raise ValueError("a moment is in UTC")
        return _iso(datetime.fromisoformat(value))
    return value


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def _json(raw: bytes, environ: dict[str, Any]) -> dict[str, Any]:
    if "json" not in environ.get("CONTENT_TYPE", ""):
        raise RefusalError(415, "VALIDATION_ERROR", "Unsupported media type")
    try:
        body = json.loads(raw)
    except ValueError:
        raise _invalid("Invalid input JSON") from None
    return body if isinstance(body, dict) else {}


def _ids_of(body: dict[str, Any], most: int) -> list[str]:
    ids = [one.get("id") for one in body.get("inputs", [])]
    if not 0 < len(ids) <= most:
        raise _invalid(f"The maximum number of inputs is {most}, the least is 1")
    if not all(isinstance(one, str) and one.isdigit() for one in ids):
        raise _invalid("Invalid input: ids are numbers")
    return ids


def _batch(results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    at = _iso(_START)
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    return (207, body | {"numErrors": len(errors), "errors": errors}) if errors else (200, body)


def _dated(path: str) -> tuple[str, str]:
    """Gives the dated form of a path, and the version that it was called in."""
    found = re.fullmatch(r"/crm/(v3(?=/)|v4(?=/associations))/(objects|properties|associations)/(.+)", path)
    return (f"/crm/{found[2]}/{VERSION}/{found[3]}", found[1]) if found else (path, VERSION)


def _with_old_links(answer: dict[str, Any], kind: str) -> dict[str, Any]:
    """Gives the links of a batch in the shape of v3."""
    name = f"deal_to_{kind.removesuffix('s')}"
    old = [
        {**found, "to": [{"id": str(to["toObjectId"]), "type": name} for to in found["to"]]}
        for found in answer["results"]
    ]
    return answer | {"results": old}


def _no_links(deal_id: str, kind: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {kind} is associated with deal {deal_id}.",
        "context": {"fromObjectId": [deal_id]},
    }


def _fault(name: str, error: str, message: str) -> dict[str, Any]:
    return {"isValid": False, "message": message, "error": error, "name": name}


def _invalid(message: str) -> RefusalError:
    return RefusalError(400, "VALIDATION_ERROR", message)


def moments(start: datetime = _START) -> Iterator[str]:
    """Gives one minute after the other, as HubSpot writes them."""
    return (_iso(start + timedelta(minutes=number)) for number in count())
