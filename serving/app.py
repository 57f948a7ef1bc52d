"""The web application: what it is made of, and what must hold before it starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import SQLAlchemyError

from serving import api, door_routes, flat, health, openapi_30
from serving.audit.denials import DenialLog
from serving.auth import keys_in_use
from serving.doors import open_doors
from serving.errors import ConfigurationError, SchemaError
from serving.intake import Assessor, Intake, open_intake
from serving.load.entrance import Entrance
from serving.metrics import Metrics
from serving.middleware import RequestScope
from serving.model.following import Follower, open_model
from serving.model.history import ServiceRecord
from serving.model.shadow import open_shadow
from serving.openapi import describe_api
from serving.page_routes import add_pages
from serving.problems import add_problem_handlers
from serving.schema import require_current_schema
from serving.settings import Settings
from serving.store import Database
from serving.traces import Traces, open_traces

_DESCRIPTION = "Reads closed-lost deals: why they were lost, what was missing, who says so, and when to come back."


def create_app(
    settings: Settings, *, assessor: Assessor | Follower | None = None, traces: Traces | None = None
) -> FastAPI:
    """Gives the web application.

    Args:
        settings: What the installation has set.
        assessor: A classifier that stays, or what follows one; None follows the model that the settings name, loaded when the app starts.
        traces: Begins traces; None takes what OpenTelemetry's variables ask for.

    Raises:
        ConfigurationError: The database URL, a setting of the doors or the mapping file cannot be used.
    """
    database, metrics = Database(settings.database_url), Metrics()
    doors = open_doors(settings, Database(settings.database_url), metrics)
    denials, traces = DenialLog(database), traces or open_traces()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        require_start(settings, database)
        with _taking_in(settings, assessor or open_model(settings), database, metrics) as app.state.intake:
            yield
        traces.close()
        denials.close()
        doors.database.close()
        database.close()

    # The pages of /docs come from here: nothing is loaded from another host.
    app = FastAPIOffline(
        title="lossnlp",
        version="1",
        description=_DESCRIPTION,
        lifespan=lifespan,
        # Spans and telemetry logs carry exception messages, and those may quote a deal.
        telemetry={"tracing": False, "logs": False, "metrics": False},
    )
    app.state.settings, app.state.database, app.state.doors = settings, database, doors
    app.state.entrance = Entrance(settings)
    app.add_middleware(RequestScope, metrics=metrics, denials=denials, traces=traces)
    add_problem_handlers(app)
    app.include_router(api.v1)
    app.include_router(health.health)
    app.include_router(flat.v1)
    app.include_router(openapi_30.router)
    app.include_router(door_routes.routes)
    add_pages(app, settings, database)
    app.openapi = lambda: describe_api(app, max_items=settings.max_batch_items)  # type: ignore[method-assign]
    return app


@contextmanager
def _taking_in(
    settings: Settings, assessor: Assessor | Follower, database: Database, metrics: Metrics
) -> Iterator[Intake]:
    """Gives the intake while the model is followed and a challenger reads along, where there is one."""
    with ExitStack() as running:
        if isinstance(assessor, Follower):
            record = ServiceRecord(database, settings.model or "", "web")
            running.enter_context(assessor.watching(record, metrics))
            assessor = assessor.model
        shadow = open_shadow(settings, database, metrics)
        if shadow is not None:
            running.enter_context(shadow.reading())
        intake = open_intake(settings, assessor, database, metrics, companion=shadow)
        running.callback(intake.line.close)
        yield intake


def require_start(settings: Settings, database: Database) -> None:
    """Passes when the service may start.

    Raises:
        SchemaError: The database is away or not migrated.
        ConfigurationError: No API key exists, so that nobody, or everybody, could use the endpoint.
    """
    require_current_schema(database.engine)
    try:
        keys = keys_in_use(settings, database)
    except SQLAlchemyError as error:
        raise SchemaError("The API keys cannot be read from the database.") from error
    if not keys:
        message = "No API key exists. Set LOSSNLP_API_KEY, or make one with `lossnlp-serve keys create NAME`."
        raise ConfigurationError(message, field="LOSSNLP_API_KEY")
