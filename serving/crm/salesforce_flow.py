"""Two flows of Salesforce on a lost opportunity: one has its text assessed and keeps the reason, one only tells of it.

Source: Metadata API Developer Guide, "Flow"; Salesforce Help, "External Service Registrations in Apex", which says how the
types of a service are named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.crm.metadata_xml import Node, leaves, render

SERVICE = "Lossnlp"
_PRIMARY = "lossnlp_primary_reason__c"
_EVIDENCE = "lossnlp_evidence__c"
_STATE = "lossnlp_review_state__c"
_READ_AGAIN = "Read_Again"
_SENT = {
    "dealId": "$Record.Id",
    "note": "$Record.Description",
    "closedOn": "$Record.CloseDate",
    "amount": "$Record.Amount",
    "account": "$Record.Account.Name",
}
# Of the other values the flat answer does not say whether they are accepted.
_WRITTEN = {
    _PRIMARY: "Answer.primaryReason",
    "lossnlp_confidence__c": "Answer.primaryConfidence",
    _EVIDENCE: "Answer.evidence",
    "lossnlp_model_version__c": "Answer.modelVersion",
    "lossnlp_assessed_at__c": "$Flow.CurrentDateTime",
}


@dataclass(frozen=True, slots=True)
class FlatOperation:
    """The flat call as Salesforce registers it.

    Args:
        name: Its operation id.
        request: Name of the schema of the body.
        answer: Name of the schema of the answer.
        schema: The whole OpenAPI 3.0 document, as JSON.
    """

    name: str
    request: str
    answer: str
    schema: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> FlatOperation:
        """Gives the operation of an OpenAPI document that holds one."""
        [item] = document["paths"].values()
        [found] = item.values()
        bodies = found["requestBody"], found["responses"]["200"]
        request, answer = (body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies)
        return cls(found["operationId"], request, answer, json.dumps(document, indent=2, ensure_ascii=False))


def callout_flow(operation: FlatOperation, *, api_version: str) -> str:
    """Gives the flow that sends the description of a lost opportunity and writes the primary reason where it is accepted.

    It runs after the commit, since a callout with uncommitted changes is refused, and only where no primary reason stands.
    What waits for a person stays unwritten, and so does a reason beside evidence that a person has written: the opportunity is
    read again after the callout, and looked at by a decision, since Salesforce filters no query by a long text.

    Args:
        operation: What it calls.
        api_version: Such as 66.0.
    """
    described = _rule("Described", [_compare("$Record.Description", "IsNull", {"booleanValue": False})], "Fill_Request")
    is_accepted = _compare("Answer.primaryAccepted", "EqualTo", {"stringValue": "yes"})
    has_no_evidence = _compare(f"{_READ_AGAIN}.{_EVIDENCE}", "IsNull", {"booleanValue": True})
    accepted = _rule("Accepted", [is_accepted, has_no_evidence], "Write_Reason")
    nodes: list[Node] = [
        ("actionCalls", _call(operation)),
        *leaves({"apiVersion": api_version}),
        ("assignments", _fill()),
        ("decisions", _decide("Has_Description", described)),
        ("decisions", _decide("Is_Accepted", accepted)),
        *leaves({"description": "Keeps why an opportunity was lost, where that is sure.", "environments": "Default"}),
        *_about("Lossnlp: closed lost"),
        ("recordLookups", _read_again()),
        ("recordUpdates", _update()),
        ("start", _start("Has_Description", [_is_empty(_PRIMARY)], is_after_commit=True)),
        *leaves({"status": "Draft"}),
        ("variables", _variable("Request", operation.request)),
        ("variables", _variable("Answer", operation.answer)),
    ]
    return render("Flow", nodes)


def message_flow(message: str, *, api_version: str) -> str:
    """Gives the flow that has an outbound message sent for a lost opportunity.

    Args:
        message: Object and name of the message, with a full stop between.
        api_version: Such as 66.0.
    """
    nodes: list[Node] = [
        ("actionCalls", [*_named("Tell"), *leaves({"actionName": message, "actionType": "outboundMessage"})]),
        *leaves({"apiVersion": api_version}),
        *leaves({"description": "Tells lossnlp which opportunity was lost.", "environments": "Default"}),
        *_about("Lossnlp: outbound message"),
        ("start", _start("Tell", [])),
        *leaves({"status": "Draft"}),
    ]
    return render("Flow", nodes)


def _named(name: str) -> list[Node]:
    return leaves({"name": name, "label": name.replace("_", " "), "locationX": 0, "locationY": 0})


def _assign_to(target: str) -> list[Node]:
    return leaves({"assignToReference": target, "operator": "Assign"})


def _to(target: str) -> Node:
    return ("connector", [("targetReference", target)])


def _value(kind: str, value: object) -> Node:
    return ("value", leaves({kind: value}))


def _call(operation: FlatOperation) -> list[Node]:
    return [
        *_named("Assess"),
        *leaves({"actionName": f"{SERVICE}.{operation.name}", "actionType": "externalService"}),
        _to(_READ_AGAIN),
        *leaves({"flowTransactionModel": "Automatic"}),
        ("inputParameters", [("name", "body"), _value("elementReference", "Request")]),
        ("outputParameters", leaves({"assignToReference": "Answer", "name": "200"})),
    ]


def _fill() -> list[Node]:
    items: list[Node] = [
        ("assignmentItems", [*_assign_to(f"Request.{key}"), _value("elementReference", source)])
        for key, source in _SENT.items()
    ]
    return [*_named("Fill_Request"), *items, _to("Assess")]


def _decide(name: str, rule: Node) -> list[Node]:
    return [*_named(name), *leaves({"defaultConnectorLabel": "Otherwise"}), rule]


def _rule(name: str, conditions: Sequence[Node], then: str) -> Node:
    return ("rules", [*leaves({"name": name, "conditionLogic": "and"}), *conditions, _to(then), ("label", name)])


def _compare(element: str, operator: str, value: Mapping[str, object]) -> Node:
    return (
        "conditions",
        [*leaves({"leftValueReference": element, "operator": operator}), ("rightValue", leaves(value))],
    )


def _about(label: str) -> list[Node]:
    builder = {"BuilderType": "LightningFlowBuilder", "CanvasMode": "AUTO_LAYOUT_CANVAS"}
    values: list[Node] = [
        ("processMetadataValues", [("name", name), _value("stringValue", value)])
        for name, value in (builder | {"OriginBuilderType": "LightningFlowBuilder"}).items()
    ]
    head = leaves({"interviewLabel": f"{label} {{!$Flow.CurrentDateTime}}", "label": label})
    return [*head, *values, *leaves({"processType": "AutoLaunchedFlow"})]


def _filter(field: str, operator: str, value: Node) -> Node:
    return ("filters", [*leaves({"field": field, "operator": operator}), value])


def _is_empty(field: str) -> Node:
    return _filter(field, "IsNull", _value("booleanValue", value=True))


def _is_same_record() -> Node:
    return _filter("Id", "EqualTo", _value("elementReference", "$Record.Id"))


def _read_again() -> list[Node]:
    """Gives a reading of the evidence as it stands after the callout, which may have taken minutes."""
    return [
        *_named(_READ_AGAIN),
        ("assignNullValuesIfNoRecordsFound", "false"),
        _to("Is_Accepted"),
        *leaves({"filterLogic": "and"}),
        _is_same_record(),
        *leaves({"getFirstRecordOnly": True, "object": "Opportunity"}),
        *[("queriedFields", field) for field in ("Id", _EVIDENCE)],
        *leaves({"storeOutputAutomatically": True}),
    ]


def _update() -> list[Node]:
    """Gives an update of the opportunity that still finds no primary reason: a person may have set one meanwhile."""
    values = {field: _value("elementReference", source) for field, source in _WRITTEN.items()}
    values[_STATE] = _value("stringValue", "accepted")
    return [
        *_named("Write_Reason"),
        *leaves({"filterLogic": "and"}),
        _is_same_record(),
        _is_empty(_PRIMARY),
        *[("inputAssignments", [("field", field), value]) for field, value in values.items()],
        *leaves({"object": "Opportunity"}),
    ]


def _start(target: str, filters: Sequence[Node], *, is_after_commit: bool = False) -> list[Node]:
    """Gives the start of a flow on an opportunity that has just become closed and not won."""
    path: list[Node] = [("scheduledPaths", [_to(target), ("pathType", "AsyncAfterCommit")])]
    return [
        *leaves({"locationX": 0, "locationY": 0}),
        *([] if is_after_commit else [_to(target)]),
        *leaves({"doesRequireRecordChangedToMeetCriteria": True, "filterLogic": "and"}),
        _filter("IsClosed", "EqualTo", _value("booleanValue", value=True)),
        _filter("IsWon", "EqualTo", _value("booleanValue", value=False)),
        *filters,
        *leaves({"object": "Opportunity", "recordTriggerType": "CreateAndUpdate"}),
        *(path if is_after_commit else []),
        *leaves({"triggerType": "RecordAfterSave"}),
    ]


def _variable(name: str, schema: str) -> list[Node]:
    kind = {"apexClass": f"ExternalService__{SERVICE}_{schema}", "dataType": "Apex"}
    return leaves({"name": name, **kind, "isCollection": False, "isInput": False, "isOutput": False})
