"""Custom fields of BottleCRM's deals: how they hold our values, and what is missing among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from serving.crm.protocol import FieldKind, FieldSpec, FieldValue, SetupStep

_KINDS: dict[FieldKind, str] = {
    "choice": "dropdown",
    "choices": "text",  # BottleCRM has no picklist of several values
    "text": "textarea",
    "number": "number",
    "date": "date",
    "moment": "text",  # nor a field for moments
    "flag": "checkbox",
}
_ALSO_FIT: dict[FieldKind, frozenset[str]] = {
    "choices": frozenset({"textarea"}),
    "text": frozenset({"text"}),
    "moment": frozenset({"textarea"}),
}
_KEY = re.compile("[a-z][a-z0-9_]{0,63}")


def plan_step(spec: FieldSpec, found: Mapping[str, Any] | None) -> SetupStep:
    """Gives what is to be done for a field; a field's type can never be changed, so another one is a person's to sort out."""
    if found is None:
        if not _KEY.fullmatch(spec.name):
            return SetupStep(spec.name, "by hand", "may hold small letters, digits and _ only, 64 at most; map it")
        return SetupStep(spec.name, "create")
    kind, wanted = str(found["field_type"]), _KINDS[spec.kind]
    if kind != wanted and kind not in _ALSO_FIT.get(spec.kind, frozenset()):
        return SetupStep(spec.name, "by hand", f"is {kind} and should be {wanted}; map another one")
    if not found.get("is_active"):
        return SetupStep(spec.name, "by hand", "is switched off; switch it on again or map another one")
    missing = ", ".join(option["value"] for option in _missing(spec, found))
    return SetupStep(spec.name, "add choices" if missing else "stands", missing)


def new_definition(spec: FieldSpec) -> dict[str, Any]:
    """Gives the definition of a field to create."""
    body = {"target_model": "Opportunity", "key": spec.name, "label": spec.label, "field_type": _KINDS[spec.kind]}
    return body | ({"options": _missing(spec, {})} if spec.kind == "choice" else {})


def wider_definition(spec: FieldSpec, found: Mapping[str, Any]) -> dict[str, Any]:
    """Gives an existing field with the options that it lacks behind those that it has."""
    return {"label": found["label"], "options": [*(found.get("options") or ()), *_missing(spec, found)]}


def is_held(held: FieldValue, sent: FieldValue) -> bool:
    """Says whether what is read back is what was sent; a text field holds a number's or flag's text, empty is missing."""
    if sent is None or sent == "":
        return held is None or held == ""
    return held == sent or str(held) == str(sent)


def _missing(spec: FieldSpec, found: Mapping[str, Any]) -> list[dict[str, str]]:
    if spec.kind != "choice":
        return []
    held = {option.get("value") for option in found.get("options") or ()}
    return [{"value": choice.value, "label": choice.label} for choice in spec.choices if choice.value not in held]
