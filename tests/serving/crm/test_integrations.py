"""What administrators deploy: as the generator gives it, within the vendors' limits, and what the connectors make too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.fields import GAP, CrmWords, FieldMap, read_words
from serving.crm.hubspot_fields import Property, plan_step
from serving.crm.protocol import Choice, FieldSpec
from serving.crm.salesforce_metadata import salesforce_files, salesforce_words
from serving.errors import ConfigurationError
from serving.write_integrations import flat_operation, integration_files, write_integrations
from tests.serving.crm.salesforce_world import SalesforceWorld

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FOLDER = Path(__file__).parents[3] / "integrations"
SOURCE = FOLDER / "salesforce/force-app/main/default"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
TAXONOMY = get_default_taxonomy()
CODES = [reason.code for reason in TAXONOMY.reasons]


def read_xml(path: str) -> Element:
    root: Element = fromstring((SOURCE / path).read_text(encoding="utf-8"), forbid_dtd=True)
    return root


def texts(root: Element, path: str) -> list[str]:
    return [element.text or "" for element in root.iterfind("/".join(NAMESPACE + part for part in path.split("/")))]


def salesforce_specs() -> tuple[FieldSpec, ...]:
    return FieldMap(TAXONOMY, read_words(FOLDER / "salesforce/words.yaml")).specs()


def field_of(spec: FieldSpec) -> Element:
    return read_xml(f"objects/Opportunity/fields/{spec.name}.field-meta.xml")


def test_the_files_are_what_the_generator_gives() -> None:
    held = {path.relative_to(FOLDER).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    given = integration_files(TAXONOMY, flat_operation())
    assert held <= given.keys()
    assert {path: (FOLDER / path).read_text(encoding="utf-8") for path in given} == given


def test_the_command_writes_every_file(tmp_path: Path) -> None:
    write_integrations(tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == integration_files(TAXONOMY, flat_operation()).keys()


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*-meta.xml")), ids=lambda path: path.name)
def test_each_file_is_xml_of_its_type(path: Path) -> None:
    kind = path.name.removesuffix("-meta.xml").rpartition(".")[2]
    root = read_xml(path.relative_to(SOURCE).as_posix())
    wanted = {"field": "CustomField", "permissionset": "PermissionSet"}.get(kind, kind[0].upper() + kind[1:])
    assert root.tag == NAMESPACE + wanted


def test_the_project_names_the_folder_of_its_source() -> None:
    project = json.loads((FOLDER / "salesforce/sfdx-project.json").read_text(encoding="utf-8"))
    assert [folder["path"] for folder in project["packageDirectories"]] == ["force-app"]


def test_there_is_a_file_for_each_field() -> None:
    held = {path.name.removesuffix(".field-meta.xml") for path in (SOURCE / "objects/Opportunity/fields").iterdir()}
    assert held == {spec.name for spec in salesforce_specs()}


def test_the_permission_set_opens_every_field() -> None:
    root = read_xml("permissionsets/Lossnlp.permissionset-meta.xml")
    assert texts(root, "fieldPermissions/field") == [f"Opportunity.{spec.name}" for spec in salesforce_specs()]
    assert set(texts(root, "fieldPermissions/editable") + texts(root, "fieldPermissions/readable")) == {"true"}


def test_flows_write_and_read_only_fields_that_exist() -> None:
    known = {spec.name for spec in salesforce_specs()}
    for path in (SOURCE / "flows").iterdir():
        named = set(re.findall(r"\w+__c\b", path.read_text(encoding="utf-8")))
        assert named <= known


@pytest.mark.parametrize("spec", [spec for spec in salesforce_specs() if spec.choices], ids=lambda spec: spec.name)
def test_picklists_hold_the_codes_and_no_others(spec: FieldSpec) -> None:
    root = field_of(spec)
    assert texts(root, "valueSet/restricted") == ["true"]
    assert texts(root, "valueSet/valueSetDefinition/value/fullName") == [choice.value for choice in spec.choices]
    assert texts(root, "valueSet/valueSetDefinition/value/label") == [choice.label for choice in spec.choices]


@pytest.mark.parametrize("name", ["lossnlp_primary_reason__c", "lossnlp_contributing_reasons__c"])
def test_reasons_are_the_codes_of_the_taxonomy(name: str) -> None:
    root = read_xml(f"objects/Opportunity/fields/{name}.field-meta.xml")
    assert texts(root, "valueSet/valueSetDefinition/value/fullName") == CODES


def test_each_element_of_the_taxonomy_has_a_field() -> None:
    gaps = [spec.name for spec in salesforce_specs() if spec.name.startswith(GAP)]
    assert gaps == [f"{GAP}{element.code}__c" for element in TAXONOMY.elements]


@pytest.mark.parametrize("spec", salesforce_specs(), ids=lambda spec: spec.name)
def test_names_stay_within_salesforces_limits(spec: FieldSpec) -> None:
    assert re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9]){0,39}__c", spec.name)
    assert 0 < len(spec.label) <= 40
    assert all(0 < len(choice.value) <= 255 for choice in spec.choices)


def test_a_label_that_is_too_long_is_refused() -> None:
    first, *others = TAXONOMY.elements
    taxonomy = TAXONOMY.model_copy(update={"elements": (first.model_copy(update={"label": "M" * 40}), *others)})
    with pytest.raises(ConfigurationError, match=r"^lossnlp_gap_metrics__c: .* 40 characters for its label"):
        salesforce_files(taxonomy, flat_operation())


def test_the_connector_makes_the_same_fields() -> None:
    world = SalesforceWorld()
    world.crm.set_up(salesforce_specs())
    for spec in salesforce_specs():
        made = world.fake.customs[spec.name].metadata
        plain = {name: [str(value)] for name, value in made.items() if name not in ("required", "valueSet")}
        assert {name: texts(field_of(spec), name) for name in plain} == plain


def test_the_connector_finds_nothing_left_to_do() -> None:
    world = SalesforceWorld()
    world.crm.set_up(FieldMap(TAXONOMY, salesforce_words(TAXONOMY)).specs())
    assert {step.act for step in world.crm.plan_setup(salesforce_specs())} == {"stands"}


def operation_schemas() -> dict[str, Any]:
    [text] = texts(read_xml("externalServiceRegistrations/Lossnlp.externalServiceRegistration-meta.xml"), "schema")
    schemas: dict[str, Any] = json.loads(text)["components"]["schemas"]
    return schemas


def test_the_flow_uses_only_keys_of_the_service() -> None:
    flow = (SOURCE / "flows/Lossnlp_Closed_Lost.flow-meta.xml").read_text(encoding="utf-8")
    for variable, schema in (("Request", "FlatRequest"), ("Answer", "FlatAssessment")):
        used = set(re.findall(rf"\b{variable}\.(\w+)", flow))
        assert used
        assert used <= operation_schemas()[schema]["properties"].keys()
        assert f"<apexClass>ExternalService__Lossnlp_{schema}</apexClass>" in flow


def test_the_flow_sends_all_that_is_required() -> None:
    flow = (SOURCE / "flows/Lossnlp_Closed_Lost.flow-meta.xml").read_text(encoding="utf-8")
    assert set(operation_schemas()["FlatRequest"]["required"]) <= set(re.findall(r"\bRequest\.(\w+)", flow))


def test_types_of_the_flow_fit_without_conversion() -> None:
    request, answer = (operation_schemas()[name]["properties"] for name in ("FlatRequest", "FlatAssessment"))
    assert request["closedOn"]["format"] == "date"
    assert request["amount"]["type"] == answer["primaryConfidence"]["type"] == "number"
    assert answer["primaryReason"]["type"] == answer["evidence"]["type"] == "string"


def test_the_flow_writes_beside_no_persons_evidence() -> None:
    root = read_xml("flows/Lossnlp_Closed_Lost.flow-meta.xml")
    assert texts(root, "recordLookups/queriedFields") == ["Id", "lossnlp_evidence__c"]
    assert texts(root, "recordUpdates/filters/field") == ["Id", "lossnlp_primary_reason__c"]
    compared = texts(root, "decisions/rules/conditions/leftValueReference")
    assert compared[1:] == ["Answer.primaryAccepted", "Read_Again.lossnlp_evidence__c"]


def test_the_flow_filters_by_no_long_text() -> None:
    long = {spec.name for spec in salesforce_specs() if spec.kind == "text"}
    for path in (SOURCE / "flows").iterdir():
        filtered = {
            element.text
            for element in read_xml(f"flows/{path.name}").iterfind(f".//{NAMESPACE}filters/{NAMESPACE}field")
        }
        assert not filtered & long


def test_the_callout_waits_for_the_commit() -> None:
    start = read_xml("flows/Lossnlp_Closed_Lost.flow-meta.xml").find(f"{NAMESPACE}start")
    assert start is not None
    assert texts(start, "scheduledPaths/pathType") == ["AsyncAfterCommit"]
    assert texts(start, "connector") == []


@pytest.mark.parametrize("name", ["Lossnlp_Closed_Lost", "Lossnlp_Outbound_Message"])
def test_flows_start_on_a_loss_and_wait_for_activation(name: str) -> None:
    root = read_xml(f"flows/{name}.flow-meta.xml")
    tests = zip(texts(root, "start/filters/field"), texts(root, "start/filters/value/booleanValue"), strict=True)
    assert {("IsClosed", "true"), ("IsWon", "false")} <= set(tests)
    assert texts(root, "status") == ["Draft"]


@pytest.mark.parametrize("name", ["Lossnlp_Closed_Lost", "Lossnlp_Outbound_Message"])
def test_each_connector_leads_to_an_element_of_the_flow(name: str) -> None:
    root = read_xml(f"flows/{name}.flow-meta.xml")
    targets = {element.text for element in root.iter(f"{NAMESPACE}targetReference")}
    kinds = ("actionCalls", "assignments", "decisions", "recordLookups", "recordUpdates")
    assert targets == {element for kind in kinds for element in texts(root, f"{kind}/name")}


def test_the_flow_sends_the_message_that_is_deployed() -> None:
    [message] = texts(read_xml("workflows/Opportunity.workflow-meta.xml"), "outboundMessages/fullName")
    called = texts(read_xml("flows/Lossnlp_Outbound_Message.flow-meta.xml"), "actionCalls/actionName")
    assert called == [f"Opportunity.{message}"]


def test_credentials_name_each_other_and_hold_no_key() -> None:
    credential = read_xml("externalCredentials/Lossnlp.externalCredential-meta.xml")
    [header] = texts(credential, "externalCredentialParameters/parameterValue")
    opened = read_xml("permissionsets/Lossnlp_Callout.permissionset-meta.xml")
    principal = texts(credential, "externalCredentialParameters/parameterName")[0]
    assert header == "{!'Bearer ' & $Credential.Lossnlp.ApiKey}"
    assert texts(opened, "externalCredentialPrincipalAccesses/externalCredentialPrincipal") == [f"Lossnlp-{principal}"]


def test_hubspots_properties_are_those_of_the_connector() -> None:
    specs = FieldMap(TAXONOMY, CrmWords()).specs()
    inputs = json.loads((FOLDER / "hubspot/properties.json").read_text(encoding="utf-8"))["inputs"]
    steps = [plan_step(spec, Property.of(defined)) for spec, defined in zip(specs, inputs, strict=True)]
    assert {step.act for step in steps} == {"stands"}
    assert [defined["name"] for defined in inputs] == [spec.name for spec in specs]


def test_the_words_example_loads() -> None:
    specs = {spec.name: spec for spec in FieldMap(TAXONOMY, read_words(FOLDER / "words.example.yaml")).specs()}
    assert all(name.endswith("__c") for name in specs)
    assert Choice("Price / Budget", "Price / Budget") in specs["Loss_Reason__c"].choices
    assert "lossnlp_rival" not in specs


def test_the_words_example_suits_salesforce() -> None:
    specs = FieldMap(TAXONOMY, read_words(FOLDER / "words.example.yaml")).specs()
    assert {step.act for step in SalesforceWorld().crm.plan_setup(specs)} == {"create"}
