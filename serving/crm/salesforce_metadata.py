"""What an administrator of Salesforce deploys: fields, access, credentials, the service's description and two flows."""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from lossnlp.taxonomy import Taxonomy
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.metadata_xml import Node, leaves, render
from serving.crm.protocol import Choice, FieldSpec
from serving.crm.salesforce_flow import SERVICE, FlatOperation, callout_flow, message_flow
from serving.crm.salesforce_setup import SHAPES
from serving.errors import ConfigurationError

API_VERSION = "66.0"
HOST = "lossnlp.example.com"
SUFFIX = "__c"
MESSAGE = "Lossnlp_Closed_Lost"
_PRINCIPAL = "Service"
_SENDER = "integration.user@example.com"
_MOST_NAME = _MOST_LABEL = 40
_MOST_VALUE = 255
_SOURCE = "force-app/main/default"


def salesforce_words(taxonomy: Taxonomy) -> CrmWords:
    """Gives our own names with the suffix that Salesforce puts on custom fields."""
    return CrmWords(fields={spec.name: spec.name + SUFFIX for spec in FieldMap(taxonomy, CrmWords()).specs()})


def salesforce_files(taxonomy: Taxonomy, operation: FlatOperation) -> dict[str, str]:
    """Gives path and text of each file of a project that Salesforce's command line deploys.

    Args:
        taxonomy: The reasons and elements whose codes are the picklist values.
        operation: The call that the flow makes.

    Raises:
        ConfigurationError: A name or value is longer than Salesforce takes.

    Source: Salesforce DX Developer Guide, "Salesforce DX Project Structure and Source Format".
    """
    words = salesforce_words(taxonomy)
    specs = FieldMap(taxonomy, words).specs()
    names = [spec.name for spec in specs]
    source = {
        **field_files(specs),
        "permissionsets/Lossnlp.permissionset-meta.xml": _field_access(names),
        "permissionsets/Lossnlp_Callout.permissionset-meta.xml": _callout_access(),
        f"externalCredentials/{SERVICE}.externalCredential-meta.xml": _external_credential(),
        f"namedCredentials/{SERVICE}.namedCredential-meta.xml": _named_credential(),
        f"externalServiceRegistrations/{SERVICE}.externalServiceRegistration-meta.xml": _registration(operation),
        "flows/Lossnlp_Closed_Lost.flow-meta.xml": callout_flow(operation, api_version=API_VERSION),
        "flows/Lossnlp_Outbound_Message.flow-meta.xml": message_flow(f"Opportunity.{MESSAGE}", api_version=API_VERSION),
        "workflows/Opportunity.workflow-meta.xml": _outbound_message(),
    }
    return {
        "sfdx-project.json": _project(),
        "words.yaml": _words_file(words),
        **{f"{_SOURCE}/{path}": text for path, text in source.items()},
    }


def field_files(specs: Sequence[FieldSpec]) -> dict[str, str]:
    """Gives path and text of the file of each field, its picklist values in it.

    Raises:
        ConfigurationError: A name or value is longer than Salesforce takes.
    """
    _require_fit(specs)
    return {f"objects/Opportunity/fields/{spec.name}.field-meta.xml": _field(spec) for spec in specs}


def _require_fit(specs: Sequence[FieldSpec]) -> None:
    for spec in specs:
        fits = {
            "name": (spec.name.removesuffix(SUFFIX), _MOST_NAME),
            "label": (spec.label, _MOST_LABEL),
            **{f"value {choice.value}": (choice.value, _MOST_VALUE) for choice in spec.choices},
        }
        for part, (text, most) in fits.items():
            if len(text) > most:
                raise ConfigurationError(f"{spec.name}: Salesforce takes at most {most} characters for its {part}.")


def _project() -> str:
    project = {
        "packageDirectories": [{"path": "force-app", "default": True}],
        "name": "lossnlp",
        "sourceApiVersion": API_VERSION,
    }
    return json.dumps(project, indent=2) + "\n"


def _words_file(words: CrmWords) -> str:
    head = "# Our own names as Salesforce spells them: LOSSNLP_CRM_WORDS names this file where the fields here are deployed.\n"
    return head + yaml.safe_dump({"fields": dict(words.fields)}, sort_keys=False)


def _field(spec: FieldSpec) -> str:
    """Gives a field as the connector makes it too; nothing here is required of people.

    Source: Metadata API Developer Guide, "CustomField" and "Metadata Field Types" (ValueSet).
    """
    nodes = [("fullName", spec.name), *leaves({"label": spec.label, **dict(sorted(SHAPES[spec.kind].items()))})]
    if spec.choices:
        values: list[Node] = [("value", _value(choice)) for choice in spec.choices]
        definition: Node = ("valueSetDefinition", [("sorted", "false"), *values])
        nodes.append(("valueSet", [("restricted", "true"), definition]))
    return render("CustomField", nodes)


def _value(choice: Choice) -> list[Node]:
    return leaves({"fullName": choice.value, "default": False, "label": choice.label})


def _field_access(names: Sequence[str]) -> str:
    """Gives who may read and write the fields.

    Source: Metadata API Developer Guide, "PermissionSet".
    """
    fields: list[Node] = [
        ("fieldPermissions", leaves({"editable": True, "field": f"Opportunity.{name}", "readable": True}))
        for name in names
    ]
    about = leaves({"description": "Reads and writes the loss reasons and what belongs to them."})
    return render("PermissionSet", [*about, *fields, *leaves({"hasActivationRequired": False, "label": "Lossnlp"})])


def _callout_access() -> str:
    """Gives who may call the service with its key.

    Source: Metadata API Developer Guide, "PermissionSet"; Salesforce Help, "Enable External Credential Principals".
    """
    principal = {"enabled": True, "externalCredentialPrincipal": f"{SERVICE}-{_PRINCIPAL}"}
    refused = dict.fromkeys(("allowCreate", "allowDelete", "allowEdit"), False)
    views = {"modifyAllRecords": False, "object": "UserExternalCredential", "viewAllRecords": False}
    nodes: list[Node] = [
        *leaves({"description": "Calls the service: for the user whom the flow runs as."}),
        ("externalCredentialPrincipalAccesses", leaves(principal)),
        *leaves({"hasActivationRequired": False, "label": "Lossnlp callout"}),
        ("objectPermissions", leaves({**refused, "allowRead": True, **views})),
    ]
    return render("PermissionSet", nodes)


def _external_credential() -> str:
    """Gives how Salesforce proves itself: by a key that a person enters in Setup, never in a file.

    Source: Metadata API Developer Guide, "ExternalCredential"; Salesforce Help, "Create or Edit a Custom Authentication
    External Credential".
    """
    principal = {"parameterName": _PRINCIPAL, "parameterType": "NamedPrincipal", "sequenceNumber": 1}
    header = {
        "parameterName": "Authorization",
        "parameterType": "AuthHeader",
        "parameterValue": f"{{!'Bearer ' & $Credential.{SERVICE}.ApiKey}}",
        "sequenceNumber": 1,
    }
    nodes: list[Node] = [
        *leaves({"authenticationProtocol": "Custom"}),
        ("externalCredentialParameters", leaves(principal)),
        ("externalCredentialParameters", leaves(header)),
        *leaves({"label": SERVICE}),
    ]
    return render("ExternalCredential", nodes)


def _named_credential() -> str:
    """Gives where the service stands.

    Source: Metadata API Developer Guide, "NamedCredential" (SecuredEndpoint).
    """
    url = {"parameterName": "Url", "parameterType": "Url", "parameterValue": f"https://{HOST}"}
    proof = {"externalCredential": SERVICE, "parameterName": "ExternalCredential", "parameterType": "Authentication"}
    nodes: list[Node] = [
        *leaves({"allowMergeFieldsInBody": False, "allowMergeFieldsInHeader": True, "calloutStatus": "Enabled"}),
        *leaves({"generateAuthorizationHeader": False, "label": SERVICE}),
        ("namedCredentialParameters", leaves(url)),
        ("namedCredentialParameters", leaves(proof)),
        *leaves({"namedCredentialType": "SecuredEndpoint"}),
    ]
    return render("NamedCredential", nodes)


def _registration(operation: FlatOperation) -> str:
    """Gives the service as External Services knows it.

    Source: Metadata API Developer Guide, "ExternalServiceRegistration"; Salesforce Help, "External Services".
    """
    nodes: list[Node] = [
        *leaves({"description": "Says why a deal was lost.", "label": SERVICE, "namedCredentialReference": SERVICE}),
        ("operations", leaves({"active": True, "name": operation.name})),
        *leaves({"registrationProviderType": "Custom", "schema": operation.schema, "schemaType": "OpenApi3"}),
        *leaves({"status": "Complete"}),
    ]
    return render("ExternalServiceRegistration", nodes)


def _outbound_message() -> str:
    """Gives the message that tells the service which opportunity was lost, and nothing more of it.

    Source: Metadata API Developer Guide, "Workflow" (WorkflowOutboundMessage).
    """
    message = {
        "fullName": MESSAGE,
        "apiVersion": API_VERSION,
        "endpointUrl": f"https://{HOST}/doors/salesforce",
        "fields": "Id",
        "includeSessionId": False,
        "integrationUser": _SENDER,
        "name": "Lossnlp Closed Lost",
        "protected": False,
        "useDeadLetterQueue": False,
    }
    return render("Workflow", [("outboundMessages", leaves(message))])
