"""A stand-in for one Salesforce org: token, SOQL, collections, describe, tooling fields and permission sets, as a WSGI app."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from tests.serving.crm.salesforce_soql import Parser, Row, SoqlError, with_check

VERSION = "v66.0"
CLIENT_ID, CLIENT_SECRET = "consumer-key", "consumer-secret"
PERMISSION_SET = "Lossnlp_Access"
_STANDARD = {"Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "LastModifiedDate": "datetime"}
_ACTIVITY = {"WhatId": "reference", "Subject": "string", "Description": "textarea", "ActivityDate": "date"}
_DEAL = {
    "Name": "string",
    "Description": "textarea",
    "NextStep": "string",
    "StageName": "picklist",
    "Amount": "currency",
    "CloseDate": "date",
    "IsClosed": "boolean",
    "IsWon": "boolean",
    "Account.Name": "string",
    "Owner.Name": "string",
    "OwnerId": "reference",
}
_MAIL = {
    "RelatedToId": "reference",
    "ActivityId": "reference",
    "FromName": "string",
    "FromAddress": "email",
    "Subject": "string",
    "TextBody": "textarea",
    "HtmlBody": "textarea",
    "MessageDate": "datetime",
}
_PREFIXES = {"Opportunity": "006", "Task": "00T", "Event": "00U", "EmailMessage": "02s", "PermissionSet": "0PS"}
_DESCRIBED = {
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "LongTextArea": "textarea",
    "Number": "double",
    "Date": "date",
    "DateTime": "datetime",
    "Checkbox": "boolean",
    "Text": "string",
}
_NEEDED = {
    "MultiselectPicklist": ("visibleLines", "valueSet"),
    "Picklist": ("valueSet",),
    "LongTextArea": ("length", "visibleLines"),
    "Number": ("precision", "scale"),
    "Checkbox": ("defaultValue",),
    "Text": ("length",),
}


class RefusedError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.body = [{"errorCode": code, "message": message, **({"fields": list(fields)} if fields else {})}]


@dataclass
class CustomField:
    id: str
    name: str
    metadata: Row
    is_granted: bool = False

    @property
    def kind(self) -> str:
        return _DESCRIBED[self.metadata["type"]]

    def values(self) -> list[Row]:
        values = self.metadata.get("valueSet") or {}
        found: list[Row] = (values.get("valueSetDefinition") or {}).get("value", [])
        return found


@dataclass
class SalesforceFake:
    """One org. Rows hang in `rows` by table and id; `now` moves with every write.

    Args:
        tables: Types of the fields of each table, by name.
        batch: Most rows on one page of a query's answer.
    """

    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    customs: dict[str, CustomField] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    answers: list[tuple[int, object, dict[str, str]]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    rule: Callable[[Row], str | None] = lambda _row: None
    locked: set[str] = field(default_factory=set)
    is_permitted_user: bool = True
    batch: int = 2000
    used: int = 0
    allowed: int = 15_000
    now: datetime = datetime(2026, 11, 2, 9, tzinfo=UTC)
    _locators: dict[str, tuple[list[Row], bool]] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        activity = _STANDARD | _ACTIVITY
        self.tables = {
            "Opportunity": _STANDARD | _DEAL,
            "Task": {**activity, "TaskSubtype": "picklist", "IsArchived": "boolean", "OwnerId": "reference"},
            "Event": {**activity, "IsArchived": "boolean"},
            "EmailMessage": _STANDARD | _MAIL,
            "PermissionSet": {"Id": "id", "Name": "string"},
        }
        self.add("PermissionSet", Name=PERMISSION_SET)

    # What people do in the org.

    def add(self, table: str, **values: object) -> str:
        row_id = self._new_id(_PREFIXES[table])
        blank = dict.fromkeys(self.tables[table], None)
        base = {"Id": row_id, "IsDeleted": False, "CreatedDate": self._stamp(), "LastModifiedDate": self._stamp()}
        self.rows.setdefault(table, {})[row_id] = {**blank, **base, **values}
        return row_id

    def change(self, deal_id: str, values: Row) -> None:
        self._tick()
        self.rows["Opportunity"][deal_id] |= {**values, "LastModifiedDate": self._stamp()}

    def delete(self, table: str, row_id: str) -> None:
        self.rows[table][row_id]["IsDeleted"] = True

    def _tick(self) -> None:
        self.now += timedelta(seconds=1)

    def _stamp(self) -> str:
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.000+0000"

    def _new_id(self, prefix: str) -> str:
        self._count += 1
        return with_check(f"{prefix}Hs{self._count:010d}")

    # What comes over the wire.

    def __call__(self, environ: Row, start_response: Callable[..., object]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        status, answer, headers = self._handle(method, path, query, body, environ.get("HTTP_AUTHORIZATION", ""))
        content = b"" if answer is None else json.dumps(answer).encode()
        headers = {"Content-Type": "application/json;charset=UTF-8", **headers}
        start_response(f"{status} Answer", [*headers.items(), ("Content-Length", str(len(content)))])
        return [content]

    def _handle(
        self, method: str, path: str, query: dict[str, str], body: bytes, authorization: str
    ) -> tuple[int, object, dict[str, str]]:
        self.seen.append((method, path))
        if path == "/services/oauth2/token":
            return self._give_token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        self.used += 1
        usage = {"Sforce-Limit-Info": f"api-usage={self.used}/{self.allowed}"}
        try:
            self._admit(authorization)
            if self.answers:
                status, answer, headers = self.answers.pop(0)
                return status, answer, usage | headers
            status, answer = self._route(method, path, query, json.loads(body) if body else None)
        except RefusedError as refusal:
            return refusal.status, refusal.body, usage
        except SoqlError as error:
            return 400, [{"errorCode": error.code, "message": str(error)}], usage
        return status, answer, usage

    def _admit(self, authorization: str) -> None:
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise RefusedError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.used > self.allowed:
            raise RefusedError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def _give_token(self, form: dict[str, str]) -> tuple[int, object, dict[str, str]]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 400, {"error": "invalid_client", "error_description": "invalid client credentials"}, {}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"}, {}
        self._count += 1
        token = f"00DHs0000000001!{self._count}"
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "instance_url": "https://example"}, {}

    def _route(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, object]:
        found = re.fullmatch(rf"/services/data/{re.escape(VERSION)}/(.+)", path)
        rest = found[1].rstrip("/") if found else ""
        if method == "GET" and rest in ("query", "queryAll"):
            return 200, self._query(query.get("q", ""), with_all=rest == "queryAll")
        if method == "GET" and (more := re.fullmatch(r"query/(0r8\w+)-(\d+)", rest)):
            return 200, self._page(more[1], int(more[2]))
        if method == "GET" and rest == "sobjects/Opportunity/describe":
            return 200, {"name": "Opportunity", "fields": list(self._describe())}
        if method in ("PATCH", "POST") and rest == "composite/sobjects":
            return 200, self._collection(method, body)
        if method == "POST" and rest == "sobjects/Task":
            return 201, {"id": self._create_task(body), "success": True, "errors": []}
        if rest.startswith("tooling/"):
            return self._tooling(method, rest.removeprefix("tooling/"), query, body)
        raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")

    # Queries.

    def visible(self) -> dict[str, CustomField]:
        return {name: custom for name, custom in self.customs.items() if custom.is_granted}

    def _types(self, table: str) -> dict[str, str]:
        if table not in self.tables:
            raise SoqlError("INVALID_TYPE", f"sObject type '{table}' is not supported.")
        customs = {name: custom.kind for name, custom in self.visible().items()} if table == "Opportunity" else {}
        return self.tables[table] | customs

    def _query(self, soql: str, *, with_all: bool) -> Row:
        asked = Parser(soql, self._types).parse()
        rows = [row for row in reversed(self.rows.get(asked.table, {}).values()) if asked.test(row)]
        if not with_all:
            rows = [row for row in rows if not row.get("IsDeleted") and not row.get("IsArchived")]
        rows.sort(key=lambda row: [str(row[name]) for name in asked.order])
        types = self._types(asked.table)
        names = [name for name in types if "." not in name] if "FIELDS(ALL)" in asked.fields else asked.fields
        shown = [self._shown(row, asked.table, names, types) for row in rows[: asked.limit]]
        locator = f"0r8{len(self._locators):015d}"
        self._locators[locator] = (shown, with_all)
        return self._page(locator, 0)

    def _shown(self, row: Row, table: str, names: Sequence[str], types: dict[str, str]) -> Row:
        shown: Row = {"attributes": {"type": table, "url": f"/services/data/{VERSION}/sobjects/{table}/{row['Id']}"}}
        for name in names:
            *parents, last = name.split(".")
            value = bool(row.get(name)) if types[name] == "boolean" else row.get(name)
            _put(shown, parents, last, value)
        return shown

    def _page(self, locator: str, low: int) -> Row:
        if locator not in self._locators:
            raise RefusedError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, _ = self._locators[locator]
        high = low + self.batch
        page: Row = {"totalSize": len(rows), "done": high >= len(rows), "records": rows[low:high]}
        if not page["done"]:
            page["nextRecordsUrl"] = f"/services/data/{VERSION}/query/{locator}-{high}"
        return page

    def _describe(self) -> Iterable[Row]:
        for name, kind in self.tables["Opportunity"].items():
            if "." not in name:
                is_ours = name not in (*_STANDARD, "IsClosed", "IsWon")
                yield {"name": name, "type": kind, "updateable": is_ours, "custom": False, "picklistValues": []}
        for name, custom in self.visible().items():
            values = [
                {"value": value["valueName"], "label": value["label"], "active": value.get("isActive", True)}
                for value in custom.values()
            ]
            yield {"name": name, "type": custom.kind, "updateable": True, "custom": True, "picklistValues": values}

    def _create_task(self, body: Row) -> str:
        if unknown := body.keys() - self.tables["Task"].keys():
            raise RefusedError(400, "INVALID_FIELD", f"No such column '{min(unknown)}' on sobject of type Task")
        if len(body["Subject"]) > 255 or body["WhatId"] not in self.rows["Opportunity"]:
            raise RefusedError(
                400, "FIELD_INTEGRITY_EXCEPTION", "Related To ID: id value of incorrect type", ["WhatId"]
            )
        return self.add("Task", **body)

    # Collections.

    def _collection(self, method: str, body: Any) -> list[Row]:
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not 0 < len(records) <= 200:
            raise RefusedError(400, "INVALID_INPUT", "The request must have 1 to 200 records")
        for record in records:
            if not (record.get("attributes") or {}).get("type"):
                raise RefusedError(400, "INVALID_INPUT", "Include a valid attributes.type for each record")
        act = self._update if method == "PATCH" else self._grant
        self._tick()
        if body.get("allOrNone"):
            raise NotImplementedError("the stand-in takes each record for itself")
        for record in records:
            self._check_shape(record)
        return [act(record) for record in records]

    def _check_shape(self, record: Row) -> None:
        """Refuses the whole call for a record that cannot be read."""
        if record["attributes"]["type"] != "Opportunity":
            return
        for name, value in _values(record).items():
            if name not in self._types("Opportunity"):
                raise RefusedError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type Opportunity")
            custom = self.customs.get(name)
            if custom and not _is_readable(value, custom.kind):
                raise RefusedError(
                    400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {custom.kind} from {value}"
                )

    def _update(self, record: Row) -> Row:
        deal_id = str(record.get("id", ""))
        if record["attributes"]["type"] != "Opportunity" or not re.fullmatch(r"006\w{12}(\w{3})?", deal_id):
            return _failed("MALFORMED_ID", f"Opportunity ID: id value of incorrect type: {deal_id}", ["Id"])
        row = self.rows.get("Opportunity", {}).get(with_check(deal_id[:15]))
        if row is None:
            return _failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
        values = _values(record)
        if failed := self._refusal(row, values):
            return failed
        kept = {
            name: _kept(self.customs[name], value) if name in self.customs else value for name, value in values.items()
        }
        row |= {**kept, "LastModifiedDate": self._stamp()}
        return {"id": row["Id"], "success": True, "errors": []}

    def _refusal(self, row: Row, values: Row) -> Row | None:
        if row["IsDeleted"]:
            return _failed("ENTITY_IS_DELETED", "entity is deleted", [])
        if row["Id"] in self.locked:
            return _failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", [])
        for name, value in values.items():
            if name in self.customs and (error := _fault(self.customs[name], value)):
                return _failed(*error, [name])
        message = self.rule(row | values)
        return _failed("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, []) if message else None

    def _grant(self, record: Row) -> Row:
        """Takes one FieldPermissions record; the API user has the only permission set there is."""
        name = str(record.get("Field", "")).removeprefix("Opportunity.")
        holders = self.rows["PermissionSet"]
        if record["attributes"]["type"] != "FieldPermissions" or record.get("ParentId") not in holders:
            return _failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["ParentId"])
        if name not in self.customs:
            return _failed("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Field Name: bad value", ["Field"])
        if not (record.get("PermissionsRead") and record.get("PermissionsEdit")):
            return _failed("FIELD_INTEGRITY_EXCEPTION", "Read is needed", ["PermissionsRead"])
        if self.customs[name].is_granted:
            return _failed("DUPLICATE_VALUE", "duplicate value found", [])
        self.customs[name].is_granted = self.is_permitted_user
        return {"id": self._new_id("01k"), "success": True, "errors": []}

    # Tooling.

    def _tooling(self, method: str, rest: str, query: dict[str, str], body: Any) -> tuple[int, object]:
        if method == "GET" and rest == "query":
            return 200, self._query_customs(query["q"])
        if method == "POST" and rest == "sobjects/CustomField":
            return 201, self._create(body)
        found = re.fullmatch(r"sobjects/CustomField/(\w+)", rest)
        custom = next((custom for custom in self.customs.values() if found and custom.id == found[1]), None)
        if custom is None:
            raise RefusedError(404, "NOT_FOUND", "The requested resource does not exist")
        if method == "GET":
            return 200, {"Id": custom.id, "FullName": f"Opportunity.{custom.name}", "Metadata": custom.metadata}
        if method == "PATCH":
            custom.metadata = _checked(body["Metadata"])
            return 204, None
        raise RefusedError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed")

    def _query_customs(self, soql: str) -> Row:
        types = {"Id": "id", "DeveloperName": "string", "NamespacePrefix": "string", "TableEnumOrId": "string"}
        asked = Parser(soql, lambda _table: types).parse()
        rows: list[Row] = [
            {"Id": custom.id, "DeveloperName": name.removesuffix("__c"), "TableEnumOrId": "Opportunity"}
            for name, custom in self.customs.items()
        ]
        records = [{name: row.get(name) for name in asked.fields} for row in rows if asked.test(row)]
        return {"totalSize": len(records), "done": True, "records": records}

    def _create(self, body: Row) -> Row:
        name = body["FullName"].removeprefix("Opportunity.")
        if not re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9]){0,39}__c", name):
            raise RefusedError(400, "FIELD_INTEGRITY_EXCEPTION", "Custom Field Name: not a valid name", ["FullName"])
        if name.lower() in {held.lower() for held in self.customs}:
            raise RefusedError(
                400, "DUPLICATE_DEVELOPER_NAME", f"There is already a field named {name} on Opportunity."
            )
        self.customs[name] = CustomField(self._new_id("00N"), name, _checked(body["Metadata"]))
        return {"id": self.customs[name].id, "success": True, "errors": [], "warnings": [], "infos": []}


def _checked(metadata: Row) -> Row:
    kind = metadata.get("type")
    if kind not in _DESCRIBED or not 0 < len(metadata.get("label") or "") <= 40:
        raise RefusedError(
            400, "FIELD_INTEGRITY_EXCEPTION", "a field needs a type and a label of at most 40 characters"
        )
    lacking = [name for name in _NEEDED.get(kind, ()) if metadata.get(name) is None]
    if lacking:
        raise RefusedError(
            400, "FIELD_INTEGRITY_EXCEPTION", f"Must specify {lacking[0]} for a CustomField of type {kind}"
        )
    return metadata


def _put(shown: Row, parents: Sequence[str], last: str, value: object) -> None:
    """Sets a value within the records that it hangs on; one of which nothing is known is not there."""
    if parents and (value is not None or shown.get(parents[0])):
        inner = shown.get(parents[0]) or {"attributes": {"type": parents[0]}}
        shown[parents[0]] = inner
        _put(inner, parents[1:], last, value)
    else:
        shown[parents[0] if parents else last] = value


def _values(record: Row) -> Row:
    return {name: value for name, value in record.items() if name not in ("attributes", "id")}


def _is_readable(value: object, kind: str) -> bool:
    """Says whether the JSON of a value can be read at all as what the field holds."""
    if value is None:
        return True
    if kind in ("date", "datetime"):
        return isinstance(value, str) and _is_moment(value, with_time=kind == "datetime")
    types: dict[str, type | tuple[type, ...]] = {"double": (int, float), "boolean": bool}
    return isinstance(value, types.get(kind, str)) and (kind != "double" or not isinstance(value, bool))


def _is_moment(text: str, *, with_time: bool) -> bool:
    try:
        if not with_time:
            return bool(date.fromisoformat(text))
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _fault(custom: CustomField, value: object) -> tuple[str, str] | None:
    if value is None:
        wrong = custom.kind == "boolean"
        return ("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{custom.name}: value not of required type") if wrong else None
    if custom.kind in ("picklist", "multipicklist") and custom.metadata["valueSet"].get("restricted"):
        active = {entry["valueName"] for entry in custom.values() if entry.get("isActive", True)}
        bad = [part for part in str(value).split(";") if part not in active]
        text = f"{custom.metadata['label']}: bad value for restricted picklist field: {bad[0] if bad else ''}"
        return ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text) if bad else None
    if custom.kind == "textarea" and len(str(value)) > custom.metadata["length"]:
        return "STRING_TOO_LONG", f"{custom.metadata['label']}: data value too large: {value}"
    return None


def _kept(custom: CustomField, value: Any) -> object:
    """Gives a value as the org keeps it: several choices in the order of the picklist, moments in its own notation."""
    if value is None or value == "":
        return None
    if custom.kind == "multipicklist":
        order = [entry["valueName"] for entry in custom.values()]
        return ";".join(sorted(str(value).split(";"), key=order.index))
    if custom.kind == "datetime":
        at = datetime.fromisoformat(value)
        return f"{(at - (at.utcoffset() or timedelta())):%Y-%m-%dT%H:%M:%S}.000+0000"
    return value


def _failed(code: str, message: str, fields: list[str]) -> Row:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": fields}]}
