"""The pages for people, beside the API for programs: sign-in, the review desk, the loss review, and the files they load."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from serving.drift import pages as drift_pages
from serving.people.access import SignedIn, Viewer
from serving.people.sign_in import add_sign_in
from serving.reports import interview_pages, loss_pages, pack_pages, top_five_pages, winback_pages
from serving.review import agreement_pages, deal_pages, label_errors, queue_pages, told_pages
from serving.review.texts import open_text_source
from serving.settings import Settings
from serving.store import Database

_FILES = Path(__file__).parent / "static"
_ROUTERS = (
    queue_pages.router,
    agreement_pages.router,
    label_errors.router,
    deal_pages.router,
    told_pages.router,
    loss_pages.router,
    top_five_pages.router,
    pack_pages.router,
    winback_pages.router,
    interview_pages.router,
    drift_pages.router,
)


class KeptFiles(StaticFiles):
    """Files that a browser keeps, and asks each time whether they are still the same."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Gives the file, or 304 where the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_pages(app: FastAPI, settings: Settings, database: Database) -> None:
    """Makes the app answer with pages too.

    Args:
        app: With its settings and database in its state.
        settings: What the installation has set.
        database: Where deals and verdicts are.

    Raises:
        ConfigurationError: A setting of the sign-in, or a key for the texts, cannot be used.
    """
    app.state.texts = open_text_source(settings, database)
    app.mount("/static", KeptFiles(directory=_FILES), name="static")
    add_sign_in(app)
    app.add_api_route("/", start, include_in_schema=False)
    for router in _ROUTERS:
        app.include_router(router)


def start(_request: Request, viewer: SignedIn) -> RedirectResponse:
    """Gives the way to the page that a person comes for."""
    return RedirectResponse(start_page(viewer), status_code=303)


def start_page(viewer: Viewer) -> str:
    """Gives the page that people of this role come for."""
    return "/review" if viewer.role == "ops" else "/losses"
