"""Every error as `application/problem+json`, without a word of any deal.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from lossnlp.errors import InvalidDealError
from serving.errors import OverloadError, UnknownIdError
from serving.store import is_database_away

_AWAY_RETRY_S = 5


class FieldFault(BaseModel):
    """What is wrong with one field of the input."""

    field: str = Field(examples=["documents.0.kind"])
    message: str = Field(examples=["Field 'documents.0.kind': Input should be 'rep_note', 'call_transcript', …"])


class Problem(BaseModel):
    """A problem document; `request_id` finds the request in the log."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["Field 'documents': at least one document needs text."])
    request_id: str | None = None
    errors: list[FieldFault] = []


class ProblemError(Exception):
    """Carries a problem from where it is found to the handler.

    Args:
        status: HTTP status.
        detail: One sentence for a person: what is wrong and how to mend it.
        errors: The fields at fault, where the input is.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[FieldFault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = headers


def problem_response(error: ProblemError) -> JSONResponse:
    """Gives the answer for a problem."""
    problem = Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        errors=error.errors,
    )
    body = {"type": problem.type, **problem.model_dump(exclude_defaults=True)}
    return JSONResponse(body, error.status, headers=error.headers, media_type="application/problem+json")


def unexpected_problem(error: Exception) -> ProblemError:
    """Gives the problem for a fault of ours; its cause stands in the log only.

    Of a database that is away, locked or full it says that the same request may be sent again: whatever was kept of it is found.
    """
    if is_database_away(error):
        detail = "The database does not answer or cannot be written now. Send the same request again: it is taken once."
        return ProblemError(503, detail, headers={"Retry-After": str(_AWAY_RETRY_S)})
    return ProblemError(500, "The service failed on this request; its log tells why under this request_id.")


def add_problem_handlers(app: FastAPI) -> None:
    """Makes the app answer every error as a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(InvalidDealError, _on_invalid_deal)
    app.add_exception_handler(UnknownIdError, _on_unknown_id)
    app.add_exception_handler(OverloadError, _on_overload)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
    app.add_exception_handler(HTTPException, _on_http_error)


def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(cast("ProblemError", error))


def _on_invalid_deal(_request: Request, error: Exception) -> JSONResponse:
    fault = cast("InvalidDealError", error)
    errors = [FieldFault(field=fault.field or "", message=fault.message)]
    return problem_response(ProblemError(422, fault.message, errors=errors))


def _on_unknown_id(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(ProblemError(404, cast("UnknownIdError", error).message))


def _on_overload(_request: Request, error: Exception) -> JSONResponse:
    fault = cast("OverloadError", error)
    return problem_response(ProblemError(503, fault.message, headers={"Retry-After": str(fault.retry_after_s)}))


def _on_invalid_parameter(_request: Request, error: Exception) -> JSONResponse:
    faults = cast("RequestValidationError", error).errors()
    errors = [FieldFault(field=".".join(map(str, fault["loc"][1:])), message=fault["msg"]) for fault in faults]
    return problem_response(ProblemError(422, "A parameter of the request is not valid.", errors=errors))


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    fault = cast("HTTPException", error)
    details = {
        404: "Nothing stands at this address; /openapi.json lists what does.",
        405: f"This address does not answer {request.method}; the Allow header names what it does.",
    }
    return problem_response(
        ProblemError(fault.status_code, details.get(fault.status_code, str(fault.detail)), headers=fault.headers)
    )
