"""The published description as OpenAPI 3.0.3, for readers that know no 3.1, such as Salesforce's External Services.

It is made from the 3.1 document. What 3.0 cannot say is left out, so that a schema never refuses what the service sends
or takes; what External Services refuses or ignores (security, response headers, other media types) is left out too.

Source: OpenAPI Specification 3.0.3; Salesforce Help, "Schema Definitions", "Naming and Description Conventions" and
"Operation Output Parameters" of External Services.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic.alias_generators import to_camel

Json = dict[str, Any]
Schema = Json | bool

MAX_DESCRIPTION_CHARS = 1_333
_REFS = "#/components/schemas/"
_METHODS = ("get", "put", "post", "delete", "patch")
_MEDIA_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain")
_OPERATION = ("tags", "summary", "description", "parameters", "requestBody", "responses", "deprecated")
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_SCHEMA = {
    *("title", "description", "type", "format", "enum", "default", "example", "nullable", "deprecated"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("items", "minItems", "maxItems", "uniqueItems"),
    *("properties", "additionalProperties", "required", "minProperties", "maxProperties"),
    *("allOf", "anyOf", "oneOf", "discriminator", "readOnly", "writeOnly", "$ref"),
}

router = APIRouter()


@router.get("/openapi-3.0.json", include_in_schema=False)
def get_openapi_30(request: Request, only: Literal["flat"] | None = None) -> JSONResponse:
    """Gives the description as OpenAPI 3.0.3; `only=flat` is the small document, with the flat operation alone."""
    app: FastAPI = request.app
    return JSONResponse(describe_api_30(app.openapi(), only=only))


def describe_api_30(document: Json, *, only: str | None = None) -> Json:
    """Gives the 3.0.3 form of an OpenAPI 3.1 document that FastAPI made.

    Args:
        document: The 3.1 document; it is left as it is.
        only: Tag of the operations to keep; None keeps all.
    """
    paths = {path: item for path, source in document["paths"].items() if (item := _path_item(path, source, only=only))}
    held = {name: downgrade_schema(schema) for name, schema in document["components"]["schemas"].items()}
    held |= _name_bodies(paths, held)
    needed = _needed_names(paths, held)
    schemas = {name: schema for name, schema in held.items() if name in needed}
    info = _short(
        {key: document["info"][key] for key in ("title", "version", "description") if key in document["info"]}
    )
    return {"openapi": "3.0.3", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _path_item(path: str, source: Json, *, only: str | None) -> Json:
    return {
        method: _operation(source[method], operation_id=_operation_id(source[method]["operationId"], path, method))
        for method in _METHODS
        if method in source and (only is None or only in source[method].get("tags", []))
    }


def _operation_id(given: str, path: str, method: str) -> str:
    """Gives the function's name in camel case; FastAPI writes path and method behind it, with underscores in rows."""
    return to_camel(given.removesuffix(re.sub(r"\W", "_", path) + f"_{method}"))


def _operation(source: Json, *, operation_id: str) -> Json:
    found = {"operationId": operation_id} | {key: source[key] for key in _OPERATION if key in source}
    if "parameters" in found:
        found["parameters"] = [_with_schema(_short(parameter)) for parameter in found["parameters"]]
    if "requestBody" in found:
        found["requestBody"] = _with_content(found["requestBody"])
    answers = {status: _with_content(answer) for status, answer in source["responses"].items()}
    return _short(found | {"responses": answers})


def _with_content(source: Json) -> Json:
    """Gives a body with its readable media types; one that has none is told of in words only."""
    found: Json = {key: source[key] for key in ("description", "required") if key in source}
    content = {kind: _with_schema(media) for kind, media in source.get("content", {}).items() if kind in _MEDIA_TYPES}
    return _short(found | {"content": content} if content else found)


def _with_schema(source: Json) -> Json:
    return source | {"schema": downgrade_schema(source["schema"])} if "schema" in source else source


def _short(node: Json) -> Json:
    text = node.get("description")
    if not isinstance(text, str) or len(text) <= MAX_DESCRIPTION_CHARS:
        return node
    return node | {"description": text[: MAX_DESCRIPTION_CHARS - 1] + "…"}


def _name_bodies(paths: Json, held: Json) -> Json:
    """Gives request bodies that were described in place, by title, and refers to them; Apex classes are named so."""
    named: Json = {}
    for media in _request_media(paths):
        schema = media.get("schema", {})
        title = schema.get("title")
        if title and (held | named).get(title, schema) == schema:
            named[title], media["schema"] = schema, {"$ref": _REFS + title}
    return named


def _request_media(paths: Json) -> Iterator[Json]:
    for item in paths.values():
        for operation in item.values():
            yield from operation.get("requestBody", {}).get("content", {}).values()


def _needed_names(paths: Json, schemas: Json) -> set[str]:
    found: set[str] = set()
    waiting: list[Json] = [paths]
    while waiting:
        for name in set(_referred_names(waiting.pop())) - found:
            found.add(name)
            waiting.append(schemas[name])
    return found


def _referred_names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(_REFS)
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        yield from _referred_names(child)


def downgrade_schema(schema: Schema) -> Json:
    """Gives the 3.0 form of a 3.1 schema: as wide as the schema or, where 3.0 lacks the word, wider."""
    if isinstance(schema, bool):
        return {}
    found = dict(schema)
    for step in _STEPS:
        found = step(found)
    return _short({key: _downgrade_value(key, found[key]) for key in found if key in _SCHEMA or key.startswith("x-")})


def _downgrade_value(key: str, value: Any) -> Any:  # noqa: ANN401 (any keyword's value)
    match key, value:
        case "properties", dict():
            return {name: downgrade_schema(schema) for name, schema in value.items()}
        case (("allOf" | "anyOf" | "oneOf"), list()):
            return [downgrade_schema(branch) for branch in value]
        case "items", _:
            return downgrade_schema(value)
        case "additionalProperties", dict():
            return downgrade_schema(value)
        case _:
            return value


def _take_null_from_choice(schema: Json) -> Json:
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key, [])
        rest = [branch for branch in branches if branch.get("type") != "null"]
        if rest and len(rest) < len(branches):
            others = _without(schema, key) | {"nullable": True}
            return _merge(rest[0], others) if len(rest) == 1 else others | {key: rest}
    return schema


def _merge(branch: Json, others: Json) -> Json:
    """Gives both as one schema; where both constrain by the same word, the branch stands in `allOf`."""
    if branch.keys() & others.keys() - _ANNOTATIONS:
        return others | {"allOf": [*others.get("allOf", []), branch]}
    return branch | others


def _turn_const_into_enum(schema: Json) -> Json:
    return _without(schema, "const") | {"enum": [schema["const"]]} if "const" in schema else schema


def _keep_one_type(schema: Json) -> Json:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    rest = [kind for kind in kinds if kind != "null"]
    found = _without(schema, "type")
    if len(rest) < len(kinds):
        found["nullable"] = True
    if len(rest) == 1:
        found["type"] = rest[0]
    elif rest:
        found = _merge({"anyOf": [{"type": kind} for kind in rest]}, found)
    elif kinds:
        found["enum"] = [None]
    return found


def _turn_bounds_into_flags(schema: Json) -> Json:
    found = dict(schema)
    for bound, exclusive, tighter in (("minimum", "exclusiveMinimum", max), ("maximum", "exclusiveMaximum", min)):
        limit = found.pop(exclusive, None)
        if limit is not None and tighter(limit, found.get(bound, limit)) == limit:
            found |= {bound: limit, exclusive: True}
    return found


def _give_items_one_schema(schema: Json) -> Json:
    """Gives an array one schema for all its items: 3.0 demands one and knows no places."""
    if schema.get("type") != "array" or ("items" in schema and "prefixItems" not in schema):
        return schema
    places, rest = schema.get("prefixItems", []), schema.get("items", True)
    is_closed = rest is False or schema.get("maxItems", len(places) + 1) <= len(places)
    kinds = places if is_closed else [*places, rest]
    kinds = [kind for index, kind in enumerate(kinds) if kind not in kinds[:index]]
    limit = {"maxItems": len(places)} if is_closed else {}
    if not kinds or True in kinds:  # nothing to choose from, or anything at all
        return limit | schema | {"items": {}}
    return limit | schema | {"items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}


def _turn_content_into_format(schema: Json) -> Json:
    if schema.get("contentEncoding") == "base64":
        return {"format": "byte"} | schema
    return {"format": "binary"} | schema if "contentMediaType" in schema else schema


def _keep_one_example(schema: Json) -> Json:
    return {"example": schema["examples"][0]} | schema if schema.get("examples") else schema


def _let_null_through(schema: Json) -> Json:
    """Gives the schema without a null as its default, which says nothing, and with null among its allowed values."""
    found = schema if schema.get("default", 0) is not None else _without(schema, "default")
    if found.get("nullable") and None not in found.get("enum", [None]):
        return found | {"enum": [*found["enum"], None]}
    return found


def _widen_patterns(schema: Json) -> Json:
    return _without(schema, "additionalProperties") if "patternProperties" in schema else schema


def _set_reference_apart(schema: Json) -> Json:
    """Gives a reference a schema of its own: in 3.0 whatever stands beside one is ignored."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    others = _without(schema, "$ref")
    return others | {"allOf": [{"$ref": schema["$ref"]}, *others.get("allOf", [])]}


def _without(schema: Json, key: str) -> Json:
    return {name: value for name, value in schema.items() if name != key}


_STEPS: tuple[Callable[[Json], Json], ...] = (
    _take_null_from_choice,  # first: what it lifts out of a branch goes through the others
    _turn_const_into_enum,
    _keep_one_type,
    _turn_bounds_into_flags,
    _give_items_one_schema,
    _turn_content_into_format,
    _keep_one_example,
    _let_null_through,
    _widen_patterns,
    _set_reference_apart,
)
