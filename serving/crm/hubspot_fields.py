"""Deal properties of HubSpot: how they hold our values, and what is missing among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from serving.crm.protocol import FieldKind, FieldSpec, FieldValue, SetupStep

_KINDS: dict[FieldKind, tuple[str, str]] = {
    "choice": ("enumeration", "select"),
    "choices": ("enumeration", "checkbox"),
    "text": ("string", "textarea"),
    "number": ("number", "number"),
    "date": ("date", "date"),
    "moment": ("datetime", "date"),  # HubSpot has no field type of its own for moments
    "flag": ("bool", "booleancheckbox"),
}
_ALSO_FIT: dict[FieldKind, frozenset[tuple[str, str]]] = {
    "choice": frozenset({("enumeration", "radio"), ("enumeration", "checkbox")}),
    "text": frozenset({("string", "text")}),
    "flag": frozenset({("enumeration", "booleancheckbox")}),
}
_YES_NO = (("true", "Yes"), ("false", "No"))


@dataclass(frozen=True, slots=True)
class Property:
    """A deal property as HubSpot defines it.

    Args:
        name: HubSpot's internal name.
        type: Such as `enumeration`.
        field_type: Such as `select`.
        options: The values of an enumeration, as they came.
        is_writable: Whether the API may set it.
    """

    name: str
    type: str
    field_type: str
    options: tuple[Mapping[str, Any], ...]
    is_writable: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Property:
        """Gives the property of a definition."""
        is_fixed = found.get("calculated") or (found.get("modificationMetadata") or {}).get("readOnlyValue")
        return cls(
            found["name"],
            found.get("type", "string"),
            found.get("fieldType", "text"),
            tuple(map(_option, found.get("options") or ())),
            is_writable=not (is_fixed or found.get("archived")),
        )


def to_hubspot(value: FieldValue, found: Property | None) -> str:
    """Gives a value as HubSpot takes it: the empty string empties, a moment is ISO 8601 in UTC.

    Source: HubSpot, "Properties API".
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format(Decimal(str(value)), "f")
    if found is not None and found.type == "datetime" and (at := _find_moment(value)):
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def from_hubspot(value: str, found: Property) -> FieldValue:
    """Gives a stored value as it was written: flags, numbers, moments with their offset, all else as text."""
    if found.field_type == "booleancheckbox" and value in ("true", "false"):
        return value == "true"
    if found.type == "number":
        try:
            return float(value)
        except ValueError:
            return value
    at = _find_moment(value) if found.type == "datetime" else None
    return at.isoformat() if at else value


def labels_of(value: str | None, found: Property | None) -> list[str]:
    """Gives what people see in a property: the labels of the options that are chosen, or the value itself."""
    labels = {str(option.get("value")): str(option.get("label")) for option in found.options} if found else {}
    parts = (value or "").split(";") if labels else [value or ""]
    return [labels.get(part, part) for part in parts]


def plan_step(spec: FieldSpec, found: Property | None) -> SetupStep:
    """Gives what is to be done for a field; what HubSpot holds in another shape only a person can change."""
    if found is None:
        return SetupStep(spec.name, "create")
    shape = (found.type, found.field_type)
    if shape != _KINDS[spec.kind] and shape not in _ALSO_FIT.get(spec.kind, frozenset()):
        wanted = "/".join(_KINDS[spec.kind])
        return SetupStep(
            spec.name, "by hand", f"is {'/'.join(shape)} and should be {wanted}; rename or map one of them"
        )
    if not found.is_writable:
        return SetupStep(spec.name, "by hand", "is read-only for the API")
    missing = ", ".join(choice["value"] for choice in missing_options(spec, found))
    return SetupStep(spec.name, "add choices" if missing else "stands", missing)


def missing_options(spec: FieldSpec, found: Property) -> list[dict[str, Any]]:
    """Gives the options that an existing property lacks, to stand behind those that it has."""
    held = {str(option.get("value")) for option in found.options}
    last = max((int(option.get("displayOrder") or 0) for option in found.options), default=-1)
    pairs = [(choice.value, choice.label) for choice in spec.choices if choice.value not in held]
    return _options(pairs, first=max(last, len(held) - 1) + 1)


def new_property(spec: FieldSpec, group: str) -> dict[str, Any]:
    """Gives the definition of a property to create."""
    type_, field_type = _KINDS[spec.kind]
    pairs = _YES_NO if spec.kind == "flag" else [(choice.value, choice.label) for choice in spec.choices]
    body = {"name": spec.name, "label": spec.label, "groupName": group, "type": type_, "fieldType": field_type}
    return body | ({"options": _options(pairs)} if pairs else {})


def _option(found: Mapping[str, Any]) -> dict[str, Any]:
    """Gives an option as it may be sent back."""
    kept = {key: found.get(key) for key in ("value", "label", "description", "displayOrder", "hidden")}
    return {key: value for key, value in kept.items() if value is not None} | {"hidden": bool(found.get("hidden"))}


def _options(pairs: Sequence[tuple[str, str]], *, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"value": value, "label": label, "displayOrder": order, "hidden": False}
        for order, (value, label) in enumerate(pairs, start=first)
    ]


def _find_moment(value: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
