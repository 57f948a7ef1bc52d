"""What an operator asks: does it live, is it ready, and what does it count."""

from __future__ import annotations

import time
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from serving import openapi, store
from serving.api import MAY_READ, DatabaseDep, EntranceDep, IntakeDep
from serving.backlog import read_backlog
from serving.doors import Doors
from serving.drift.looks import find_look
from serving.errors import SchemaError
from serving.intake import Intake
from serving.metrics import Metrics
from serving.problems import FieldFault, ProblemError
from serving.schema import require_usable_schema
from serving.store import Database

health = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """What a service that is ready tells of its parts."""

    status: str = Field(examples=["ready"])
    model: str = Field(description="Version of the model in service.", examples=["2026-11-20-1f0c5a9e2b77"])
    database: str = Field(description="`ready`.", examples=["ready"])
    queue: str = Field(description="`open`, or `full`: requests for deals are turned away at the moment.")


@health.get("/healthz")
async def is_alive() -> dict[str, str]:  # not in the thread pool: it answers while every thread classifies
    """Says that the process answers."""
    return {"status": "alive"}


async def find_intake(request: Request) -> Intake | None:
    """Gives the running app's intake, None where no model is loaded."""
    return getattr(request.state, "intake", None)


@health.get("/readyz", responses=openapi.problem_answers(503))
async def is_ready(
    request: Request, intake: Annotated[Intake | None, Depends(find_intake)], entrance: EntranceDep
) -> Readiness:
    """Says that the model is loaded and the database is reachable and up to date; of a part that is not, which one.

    A full queue is told and does not make the service unready: it answers 503 with `Retry-After` itself, and a service that were taken
    out for it would leave its load to the next.
    """
    faults = [FieldFault(field="model", message="No model is loaded.")] if intake is None else []
    faults += await _database_faults(request.app.state.doors)
    if intake is None or faults:
        raise ProblemError(503, " ".join(fault.message for fault in faults), errors=faults)
    queue = "open" if entrance.has_room else "full"
    return Readiness(status="ready", model=intake.assessor.model_version, database="ready", queue=queue)


async def _database_faults(doors: Doors) -> list[FieldFault]:
    try:  # it is asked as the doors ask it: busy with deals is not unready
        await to_thread.run_sync(require_usable_schema, doors.database.engine, limiter=doors.limiter)
    except SchemaError as error:  # its message may name the server
        is_away = isinstance(error.__cause__, SQLAlchemyError)
        told = "is away" if is_away else "is not migrated to this version: run `lossnlp-serve migrate`"
        return [FieldFault(field="database", message=f"The database {told}; the log of the service tells more.")]
    return []


@health.get(
    "/metrics",
    response_class=PlainTextResponse,
    dependencies=[MAY_READ],
    responses=openapi.problem_answers(401, 403, 503),
)
def get_metrics(intake: IntakeDep, database: DatabaseDep) -> Response:
    """Gives the counters in Prometheus' text format; where the database is away, those of the processes and `lossnlp_database_up` 0."""
    try:
        _show_stored(intake.metrics, database)
    except SQLAlchemyError:
        intake.metrics.backlog.show_away()
    return Response(intake.metrics.render(), media_type="text/plain; version=0.0.4")


def _show_stored(metrics: Metrics, database: Database) -> None:
    """Shows what the database tells."""
    began_s = time.perf_counter()
    with database.reading() as session:
        backlog, look = read_backlog(session, store.now()), find_look(session)
        found = {one.feature: (one.p, one.is_alarm) for one in look.findings} if look else {}
    metrics.note_drift(look.looked_at if look else None, found)
    metrics.backlog.show(backlog, looked_s=time.perf_counter() - began_s)
