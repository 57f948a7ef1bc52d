"""Deal, Document and Turn: what comes in, checked at the door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lossnlp.errors import InvalidDealError

Kind = Literal["rep_note", "call_transcript", "buyer_interview", "email_thread"]
Role = Literal["rep", "buyer", "other"]

MAX_DOCUMENT_CHARS = 2_000_000
MAX_DOCUMENTS = 200
MAX_TURNS = 20_000


def _checked_text(value: object) -> object:
    """Gives text that every encoding can carry: lone surrogates (from broken JSON escapes) become U+FFFD."""
    if not isinstance(value, str):
        return value
    return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _day(value: object) -> object:
    """Gives the date of an ISO date or date-time; CRMs send either. A number is none: nobody says whether of days or seconds."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, date):
        raise ValueError("should be a date such as 2026-11-20")  # noqa: TRY004 - pydantic asks for ValueError
    return moment.date() if isinstance(moment, datetime) else moment


def _number(value: object) -> object:
    """Gives what may be a number; yes and no are none, though Python counts with them."""
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004 - pydantic asks for ValueError
    return value


Text = Annotated[str, StringConstraints(max_length=MAX_DOCUMENT_CHARS), BeforeValidator(_checked_text)]
Label = Annotated[str, StringConstraints(max_length=300), BeforeValidator(_checked_text)]
Day = Annotated[date, BeforeValidator(_day)]
Seconds = Annotated[float, Field(ge=0), BeforeValidator(_number)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]


class Frozen(BaseModel):
    """Gives the base of all values here: immutable, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Turn(Frozen):
    """One uninterrupted stretch of speech as a call tool exported it.

    Args:
        speaker: Name or label as written, or None.
        role: Who speaks, where the export knows it.
        start_s: Seconds from the start of the recording, or None.
        text: What was said; evidence offsets point into this text.
    """

    speaker: Label | None = None
    role: Role | None = None
    start_s: Seconds | None = None
    text: Text


class Document(Frozen):
    """A rep note, a call transcript, a buyer interview or a mail thread about one deal.

    Args:
        id: Name of the document, unique within its deal.
        kind: What sort of text it is.
        recorded_at: Day the text was made, or None.
        text: The text as it came, up to 2,000,000 characters; None where `turns` are given.
        turns: The speech turns, where the export is structured; None where `text` is given.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind
    recorded_at: Day | None = None
    text: Text | None = None
    turns: Annotated[tuple[Turn, ...], Field(max_length=MAX_TURNS)] | None = None

    @model_validator(mode="after")
    def _has_text_or_turns(self) -> Document:
        if (self.text is None) == (self.turns is None):
            raise ValueError("give either 'text' or 'turns'")
        if sum(len(turn.text) for turn in self.turns or ()) > MAX_DOCUMENT_CHARS:
            raise ValueError(f"turns together should have at most {MAX_DOCUMENT_CHARS} characters")
        return self

    @property
    def numbered_texts(self) -> list[tuple[int | None, str]]:
        """The text, with no number; or that of each turn with the turn's index."""
        if self.turns is None:
            return [(None, self.text or "")]
        return [(index, turn.text) for index, turn in enumerate(self.turns)]

    @property
    def has_content(self) -> bool:
        """Says whether anything readable stands in the document."""
        return any(text.strip(" \t\r\n\x00\ufeff\u200b") for _, text in self.numbered_texts)


class Deal(Frozen):
    """A closed-lost deal with everything that was written or said about it.

    Args:
        id: The CRM's id of the deal.
        documents: At least one document with content; ids unique.
        closed_at: Day the deal was closed as lost; win-back dates are resolved against it.
        stated_reason: The loss reason the rep chose in the CRM, in the CRM's words.
        stage: Sales stage at loss.
        amount: Deal value in `currency`, 0 or more.
        currency: ISO 4217 code.
        owner: The rep's name or id.
        account: The buying company's name.
        segment: The market segment.
        team: The sales team.
        region: The sales region.
        product: What was to be sold.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    documents: Annotated[tuple[Document, ...], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    closed_at: Day | None = None
    stated_reason: Label | None = None
    stage: Label | None = None
    amount: Amount | None = None
    currency: Annotated[str, Field(max_length=8)] | None = None
    owner: Label | None = None
    account: Label | None = None
    segment: Label | None = None
    team: Label | None = None
    region: Label | None = None
    product: Label | None = None

    @property
    def texts(self) -> list[str]:
        """The text of each document, or of each of its turns, in order."""
        return [text for document in self.documents for _, text in document.numbered_texts]

    @model_validator(mode="after")
    def _has_content(self) -> Deal:
        if not any(document.has_content for document in self.documents):
            raise ValueError("at least one document needs text")
        ids = [document.id for document in self.documents]
        if len(set(ids)) != len(ids):
            raise ValueError("ids should be unique within the deal")
        return self

    @classmethod
    def from_request(cls, request: object) -> Deal:
        """Gives the deal of one request, long form or short.

        Args:
            request: A decoded JSON object: `{"deal": {...}, "documents": [...]}`, or the short form
                `{"id": ..., "text": ..., "closed_at": ...}`, which is one rep note.

        Raises:
            InvalidDealError: With the dotted path of the first offending field.
        """
        if not isinstance(request, dict):
            raise InvalidDealError("A request is a JSON object with 'deal' and 'documents', or with 'id' and 'text'.")
        is_short = "deal" not in request and "documents" not in request
        fields = _short_form(request) if is_short else _long_form(request)
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            message, field = _first_fault(error, is_short=is_short)
            raise InvalidDealError(f"Field '{field}': {message}.", field=field) from None


def _short_form(request: dict[str, Any]) -> dict[str, Any]:
    """Gives the fields of a deal that is one rep note; a note's text is missing rather than empty where it is null."""
    if request.get("text") is None:
        raise InvalidDealError("Field 'text' is missing; give the note's text.", field="text")
    fields = {key: value for key, value in request.items() if key != "text"}
    return fields | {"documents": [{"id": "note", "kind": "rep_note", "text": request["text"]}]}


def _long_form(request: dict[str, Any]) -> dict[str, Any]:
    head = request.get("deal")
    if not isinstance(head, dict):
        raise InvalidDealError("Field 'deal' is missing; give an object with the deal's 'id'.", field="deal")
    if not isinstance(request.get("documents"), list):
        raise InvalidDealError(
            "Field 'documents' is missing; give a list with at least one document.", field="documents"
        )
    return {**head, "documents": request["documents"]}


def _first_fault(error: ValidationError, *, is_short: bool) -> tuple[str, str]:
    """Gives message and dotted field of the first fault, as the request names it and without repeating any input."""
    fault = error.errors(include_input=False, include_url=False)[0]
    path = [str(part) for part in fault["loc"]] or ["documents"]
    if is_short and path[0] == "documents":
        path = ["text"]
    elif not is_short and path[0] != "documents":
        path = ["deal", *path]
    return fault["msg"].removeprefix("Value error, ").rstrip("."), ".".join(path)
