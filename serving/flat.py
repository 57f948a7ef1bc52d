"""The flat form: one deal in, one answer out, each a single level of strings and numbers under names that stay.

It is for callers that take their types from a sample or cannot follow nesting, such as Salesforce's Flow: no field is
ever null or missing, none is a list, and every good answer has the same status.

Source: Salesforce Help, "HTTP Callout Considerations and Limits" and, of External Services, "Operation Output Parameters".
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from serving import openapi
from serving.api import MAY_CLASSIFY, Body, EntranceDep, LiveIntake
from serving.body import parse_body
from serving.intake import Intake, parse_deal
from serving.writeback import EVIDENCE_CHARS, find_winner

_GAP = "gap_"
_WORDS = {True: "yes", False: "no", None: "unknown"}
_HEAD = {
    "dealId": "id",
    "closedOn": "closed_at",
    "statedReason": "stated_reason",
    "stage": "stage",
    "amount": "amount",
    "currency": "currency",
    "account": "account",
}
_DOCUMENTS = {"note": "rep_note", "transcript": "call_transcript"}
_DESCRIPTIONS = {
    "dealId": "The CRM's id of the deal.",
    "note": "The rep's note; may be empty where a transcript is given.",
    "closedOn": "Day the deal was closed as lost, such as 2026-11-20.",
    "statedReason": "The loss reason that the rep chose in the CRM.",
    "stage": "Sales stage at loss.",
    "amount": "Deal value in the currency, 0 or more.",
    "currency": "ISO 4217 code.",
    "account": "The buying company's name.",
    "transcript": "A call transcript as plain text.",
}

Double = Annotated[float, Field(ge=0, le=1, json_schema_extra={"format": "double"})]
YesNo = Annotated[str, Field(description="yes or no")]
YesNoUnknown = Annotated[str, Field(description="yes, no, or unknown where the question does not arise")]
GapWord = Annotated[str, Field(description="gap, covered or not_mentioned")]


class FlatAssessment(BaseModel):
    """One answer on one level; an empty string stands where there is nothing to say.

    Values stand here whether or not they are accepted: where `reviewRequired` is yes, a person should look first.
    """

    model_config = ConfigDict(frozen=True, alias_generator=AliasGenerator(serialization_alias=to_camel))

    deal_id: str
    assessment_id: str
    primary_reason: Annotated[str, Field(description="Code of the reason that decided.")]
    primary_reason_label: str
    primary_confidence: Double
    primary_accepted: YesNo
    contributing_reasons: Annotated[str, Field(description="Codes of the other reasons, semicolons between them.")]
    gap_metrics: GapWord
    gap_economic_buyer: GapWord
    gap_decision_criteria: GapWord
    gap_decision_process: GapWord
    gap_paper_process: GapWord
    gap_identify_pain: GapWord
    gap_champion: GapWord
    gap_competition: GapWord
    external_only: YesNoUnknown
    insufficient_detail: YesNoUnknown
    rep_buyer_conflict: YesNoUnknown
    winback: Annotated[str, Field(description="open, closed or unclear")]
    revisit_on: Annotated[str, Field(description="Day to come back, such as 2027-02-01, or empty.")]
    rival: Annotated[str, Field(description="The vendor that the buyer took or stayed with, or empty.")]
    review_required: YesNo
    evidence: Annotated[str, Field(description="The first quote for the primary reason, at most 255 characters.")]
    model_version: str


def flatten(assessment: Assessment, *, assessment_id: str) -> FlatAssessment:
    """Gives the answer on one level."""
    primary, flags, winback = assessment.primary, assessment.flags, assessment.winback
    return FlatAssessment.model_validate(
        {
            "deal_id": assessment.deal_id,
            "assessment_id": assessment_id,
            "primary_reason": primary.code,
            "primary_reason_label": primary.label,
            "primary_confidence": round(primary.confidence, 4),
            "primary_accepted": _WORDS["primary_reason" in assessment.accepted],
            "contributing_reasons": ";".join(reason.code for reason in assessment.reasons if not reason.primary),
            **_gaps(assessment),
            "external_only": _WORDS[flags.external_only.value],
            "insufficient_detail": _WORDS[flags.insufficient_detail.value],
            "rep_buyer_conflict": _WORDS[flags.rep_buyer_conflict.value],
            "winback": winback.state,
            "revisit_on": winback.revisit_on.isoformat() if winback.revisit_on else "",
            "rival": find_winner(assessment) or "",
            "review_required": _WORDS[assessment.review.required],
            "evidence": primary.evidence[0].text[:EVIDENCE_CHARS] if primary.evidence else "",
            "model_version": assessment.model.version,
        }
    )


def _gaps(assessment: Assessment) -> dict[str, str]:
    """Gives a state for every element of the form; a model that does not know one has not seen it mentioned."""
    states = {_GAP + code: element.state for code, element in assessment.meddpicc.items()}
    return {name: states.get(name, "not_mentioned") for name in FlatAssessment.model_fields if name.startswith(_GAP)}


def parse_flat_deal(request: object) -> Deal:
    """Gives the deal of a flat request; a field that is null or empty counts as not given.

    Raises:
        InvalidDealError: Names the first offending field as the flat form does.
    """
    if not isinstance(request, dict):
        raise InvalidDealError("A flat request is a JSON object with 'dealId' and 'note'.")
    given = {name: value for name, value in request.items() if value not in (None, "")}
    head = {theirs: given[ours] for ours, theirs in _HEAD.items() if ours in given}
    documents = [{"id": name, "kind": kind, "text": given[name]} for name, kind in _DOCUMENTS.items() if name in given]
    if not documents:
        raise InvalidDealError("Field 'note' is missing; give the note's text.", field="note")
    try:
        return parse_deal({"deal": head, "documents": documents})
    except InvalidDealError as error:
        raise _with_flat_name(error, [document["id"] for document in documents]) from None


def _with_flat_name(error: InvalidDealError, documents: list[str]) -> InvalidDealError:
    places = {f"deal.{theirs}": ours for ours, theirs in _HEAD.items()}
    places |= {f"documents.{index}.text": name for index, name in enumerate(documents)}
    field = places.get(error.field or "", documents[0])
    return InvalidDealError(error.message.replace(f"'{error.field}'", f"'{field}'", 1), field=field)


def _request_schema() -> dict[str, Any]:
    """Gives the schema of a flat request, its limits cut from the model that checks them."""
    deal = Deal.model_json_schema()
    text = deal["$defs"]["Document"]["properties"]["text"]
    sources = {name: deal["properties"][_HEAD[name]] if name in _HEAD else text for name in _DESCRIPTIONS}
    properties = {name: _plain(source) | {"description": _DESCRIPTIONS[name]} for name, source in sources.items()}
    return {"title": "FlatRequest", "type": "object", "properties": properties, "required": ["dealId", "note"]}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Gives the schema without its null, and a number as a double: Flow knows no float."""
    [plain] = [branch for branch in schema.get("anyOf", [schema]) if branch["type"] != "null"]
    plain = {key: value for key, value in plain.items() if key != "title"}
    return plain | {"format": "double"} if plain["type"] == "number" else plain


EXAMPLE_REQUEST: dict[str, Any] = {
    "dealId": "006Hs00001abcde",
    "note": "Lost to Gong on price, 30% lower. Come back when FY27 opens in Feb.",
    "closedOn": "2026-11-20",
    "statedReason": "Price",
    "stage": "Negotiation",
    "amount": 42000.0,
    "currency": "EUR",
    "account": "Nordwind Logistics",
    "transcript": "[00:00:04] Dana Ortiz (Nordwind): Honestly, nobody here ever saw a business case.",
}
EXAMPLE_ANSWER = flatten(
    Assessment.model_validate(openapi.EXAMPLE_ANSWER), assessment_id=openapi.EXAMPLE_ANSWER["id"]
).model_dump(by_alias=True)
_BODY = {"schema": _request_schema(), "example": EXAMPLE_REQUEST}

v1 = APIRouter(prefix="/v1", tags=["flat"])


@v1.post(
    "/assessments:flat",
    operation_id="assessDeal",
    dependencies=[MAY_CLASSIFY],
    responses={
        200: openapi.answer_example("The answer, made now or stored before.", EXAMPLE_ANSWER),
        **openapi.problem_answers(400, 401, 403, 413, 415, 422, 500, 503),
    },
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": _BODY}}},
)
async def create_flat_assessment(
    request: Request, asked: LiveIntake, body: Body, entrance: EntranceDep
) -> FlatAssessment:
    """Gives the assessment of one closed-lost deal as one flat object of strings and numbers.

    The same deal, content and model give the same stored answer, and always status 200: External Services makes one
    output variable of each status.
    """
    return await entrance.answer(request, asked, partial(_answer_flat, body))


def _answer_flat(body: bytes, intake: Intake) -> FlatAssessment:
    taken = intake.take_deal(parse_flat_deal(parse_body(body)))
    return flatten(Assessment.model_validate(taken.answer), assessment_id=taken.id)
