"""Custom fields of a Salesforce deal: which are missing, how they are made, and who may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.crm.http import Request
from serving.crm.protocol import Choice, CrmError, FieldKind, FieldSpec, SetupStep
from serving.crm.salesforce_org import AT_ONCE, DEAL, NAME, Org, Row, codes, find_cause, quoted, select

SHAPES: dict[FieldKind, Row] = {
    "choice": {"type": "Picklist"},
    "choices": {"type": "MultiselectPicklist", "visibleLines": 6},
    "text": {"type": "LongTextArea", "length": 32768, "visibleLines": 4},
    "number": {"type": "Number", "precision": 18, "scale": 4},
    "date": {"type": "Date"},
    "moment": {"type": "DateTime"},
    "flag": {"type": "Checkbox", "defaultValue": "false"},
}
_FITTING: dict[FieldKind, tuple[str, ...]] = {
    "choice": ("picklist", "string"),
    "choices": ("multipicklist", "string", "textarea"),
    "text": ("textarea", "string"),
    "number": ("double",),
    "date": ("date",),
    "moment": ("datetime",),
    "flag": ("boolean",),
}
_GRANT = "give the API user read and edit access to the field, by a permission set"


@dataclass(frozen=True, slots=True)
class FieldSetup:
    """Makes the fields of a deal that are missing.

    Salesforce shows a field made by API to nobody: who may see it is a matter of permission sets.

    Args:
        org: Where the fields stand.
        permission_set: API name of a permission set of the API user, which is to get access to new fields; None leaves
            that to a person.

    Source: Tooling API, "CustomField"; Object Reference, "FieldPermissions".
    """

    org: Org
    permission_set: str | None

    def plan(self, specs: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what `apply` would do.

        Raises:
            CrmError: The org cannot be read.
        """
        seen, held = self.org.get_fields(fresh=True), self._find_custom_fields()
        return [self._step(spec, seen.get(spec.name), held, sorted(seen)) for spec in specs]

    def apply(self, specs: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what was done; for a field that the API user cannot see afterwards, what a person has to do.

        Raises:
            CrmError: The org cannot be read, refuses a field, or has no such permission set.
        """
        steps, held = self.plan(specs), self._find_custom_fields()
        created = [step.field for step in steps if step.act == "create"]
        holder = self._get_holder() if created and self.permission_set else None
        for spec, step in zip(specs, steps, strict=True):
            if step.act == "create" and spec.name not in held:
                self._create(spec)
            elif step.act == "add choices":
                self._add_choices(spec, held[spec.name])
        if holder:
            self._grant(created, holder)
        return self._told_of_unseen(steps, created)

    def _told_of_unseen(self, steps: list[SetupStep], created: Sequence[str]) -> list[SetupStep]:
        """Gives the steps, in place of one whose field the API user still cannot see what a person has to do."""
        if not created:
            return steps
        unseen = set(created) - self.org.get_fields(fresh=True).keys()
        act = f"assign {self.permission_set} to the API user" if self.permission_set else _GRANT
        return [SetupStep(step.field, "by hand", f"made; {act}") if step.field in unseen else step for step in steps]

    def _step(self, spec: FieldSpec, seen: Row | None, held: dict[str, str], names: Sequence[str]) -> SetupStep:
        if seen is None:
            return self._step_to_field(spec.name, held, names)
        if seen["type"] not in _FITTING[spec.kind]:
            fitting = SHAPES[spec.kind]["type"]
            return SetupStep(spec.name, "by hand", f"is a {seen['type']}; name another field in its place, a {fitting}")
        if not seen["updateable"]:
            return SetupStep(spec.name, "by hand", _GRANT)
        missing = ", ".join(choice.value for choice in _missing(spec, seen))
        if not missing:
            return SetupStep(spec.name, "stands")
        shared = self._find_shared_values(held.get(spec.name))
        if shared:
            return SetupStep(spec.name, "by hand", f"add to {shared}: {missing}")
        return SetupStep(spec.name, "add choices", missing)

    def _step_to_field(self, name: str, held: dict[str, str], names: Sequence[str]) -> SetupStep:
        """Gives the step for a field that the API user does not see."""
        alike = next((other for other in (*names, *held) if other != name and other.lower() == name.lower()), None)
        if alike:
            return SetupStep(name, "by hand", f"stands as {alike}; write its name so in the mapping")
        if not name.endswith("__c"):
            return SetupStep(name, "by hand", "names of custom fields end in __c; name one in the mapping")
        if name in held:
            detail = (
                f"stands; only access to it, by {self.permission_set}" if self.permission_set else f"stands; {_GRANT}"
            )
            return SetupStep(name, "create" if self.permission_set else "by hand", detail)
        return SetupStep(name, "create", "" if self.permission_set else f"then {_GRANT}")

    def _find_custom_fields(self) -> dict[str, str]:
        """Gives the ids of all custom fields of a deal by name, also of those that the API user cannot see."""
        fields = ("Id", "DeveloperName", "NamespacePrefix")
        soql = select(fields, "CustomField", [f"TableEnumOrId = {quoted(DEAL)}"])
        rows = self.org.call("GET", "tooling/query", Request(query={"q": soql}))["records"]
        names = [
            (f"{row['NamespacePrefix']}__" if row["NamespacePrefix"] else "") + row["DeveloperName"] for row in rows
        ]
        return {f"{name}__c": row["Id"] for name, row in zip(names, rows, strict=True)}

    def _find_shared_values(self, field_id: str | None) -> str | None:
        """Gives the list of values that the field shares with others, None where it has values of its own."""
        if field_id is None:
            return "the standard field"
        values: Row = self._fetch_field(field_id)["Metadata"].get("valueSet") or {}
        shared = values.get("valueSetName")
        return f"the global value set {shared}" if shared else None

    def _fetch_field(self, field_id: str) -> Row:
        return self.org.call("GET", f"tooling/sobjects/CustomField/{field_id}")

    def _create(self, spec: FieldSpec) -> None:
        metadata: dict[str, Any] = {"label": spec.label, "required": False, **SHAPES[spec.kind]}
        if spec.kind == "flag":
            del metadata["required"]
        if spec.kind in ("choice", "choices"):
            values = [_value(choice) for choice in spec.choices]
            metadata["valueSet"] = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
        body = {"FullName": f"{DEAL}.{spec.name}", "Metadata": metadata}
        self.org.call("POST", "tooling/sobjects/CustomField", Request(body=body), repeat="undone")

    def _add_choices(self, spec: FieldSpec, field_id: str) -> None:
        """Adds what is missing to what stands; the tooling API takes the whole definition."""
        field = self._fetch_field(field_id)
        values: list[Row] = field["Metadata"]["valueSet"]["valueSetDefinition"]["value"]
        held = {value["valueName"]: value for value in values}
        for choice in spec.choices:
            if choice.value in held:
                held[choice.value]["isActive"] = True
            else:
                values.append(_value(choice))
        body = {"FullName": f"{DEAL}.{spec.name}", "Metadata": field["Metadata"]}
        self.org.call("PATCH", f"tooling/sobjects/CustomField/{field_id}", Request(body=body))

    def _get_holder(self) -> str:
        name = self.permission_set or ""
        rows = self.org.find_rows(select(("Id",), "PermissionSet", [f"Name = {quoted(name)}"]))
        if not rows:
            raise CrmError(f"{NAME} has no permission set {name}; LOSSNLP_SALESFORCE_PERMISSION_SET names it.")
        return str(rows[0]["Id"])

    def _grant(self, names: Sequence[str], holder: str) -> None:
        rights = {"ParentId": holder, "SobjectType": DEAL, "PermissionsRead": True, "PermissionsEdit": True}
        kind = {"attributes": {"type": "FieldPermissions"}}
        records = [{**kind, **rights, "Field": f"{DEAL}.{name}"} for name in names]
        for low in range(0, len(records), AT_ONCE):
            for result in self.org.send_records("POST", records[low : low + AT_ONCE]):
                if not result["success"] and "DUPLICATE_VALUE" not in codes(result["errors"]):
                    raise CrmError(f"{NAME} gives no access to a new field: {find_cause(result['errors'])}.")


def _missing(spec: FieldSpec, seen: Row) -> list[Choice]:
    if seen["type"] not in ("picklist", "multipicklist"):
        return []
    held = {value["value"] for value in seen["picklistValues"] if value["active"]}
    return [choice for choice in spec.choices if choice.value not in held]


def _value(choice: Choice) -> Row:
    return {"valueName": choice.value, "label": choice.label, "default": False, "isActive": True}
