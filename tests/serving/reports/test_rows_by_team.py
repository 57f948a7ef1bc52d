"""No page shows a deal to who may not see it: every page that the application has is looked at, whatever it is added for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from serving.people.access import Viewer
from serving.reports.loss_charts import CHARTS, REASON_CHARTS
from serving.store import Database, now
from tests.serving.reports.loss_world import LEADER, WINDOW, Browse, add_losses
from tests.serving.reports.pack_world import read_all

_EACH = 120
_TABLES = (
    "reasons",
    "endings",
    "trend",
    "groups",
    "applying",
    "corrected",
    "gaps",
    "gap-reasons",
    "differences",
    "stated",
    "external-only",
)
# What stands in the place of a parameter; a page with a new one has to say it here.
_FILLED: dict[str, tuple[str, ...]] = {
    "/losses/charts/{name}": tuple(CHARTS),
    "/losses/reasons/{code}/charts/{name}": tuple(REASON_CHARTS),
    "/losses/tables/{name}.csv": _TABLES,
    "/losses/reasons/{code}/tables/{name}.csv": ("trend", "groups", "gaps"),
    "/losses/top-five/tables/{name}.csv": ("entries", "lost", "overlaps"),
    "/losses/top-five/files/{path:path}": ("entries.csv", "lost.csv", "overlaps.csv"),
    "/drift/charts/{name}": ("weeks",),
    "/deals/{deal_id:path}": (f"D{_EACH}",),
    "/interviews/{deal_id:path}": (f"D{_EACH}",),
    "/review/deals/{review_id}": ("1",),
    "/review/deals/{review_id}/crm": ("1",),
    "/people/{person_id}": ("1",),
}
_MANAGER = Viewer(0, "Mo", "manager", ("North",))
_REP = Viewer(0, "Nora", "rep", owner="Nora North")


def guards(dependant: Any) -> Iterator[str]:
    for part in dependant.dependencies:
        yield getattr(part.call, "__name__", "")
        yield from guards(part)


def pages(app: FastAPI) -> Iterator[str]:
    """Gives the address of every page that needs a person, with parts of other teams wherever a part is asked for."""
    for route in iter_route_contexts(app.routes):
        if (
            "GET" not in (route.methods or ())
            or not hasattr(route, "dependant")
            or "require_viewer" not in guards(route.dependant)
        ):
            continue
        pattern = route.path.replace("{code}", "price")
        head, _, tail = pattern.partition("{")
        for part in _FILLED[route.path] if "{" in pattern else ("",):
            path = head + part + tail.partition("}")[2]
            yield f"{path}?month=2026-09" if path == "/losses/pack" else f"{path}?{WINDOW}&by=team&of=team"


@pytest.fixture
def two_teams(database: Database) -> None:
    """Losses of two teams; whatever belongs to the one says so."""
    with database.writing() as session:
        for side in ("North", "South"):
            named = {
                name: f"{side} {name}" for name in ("account", "region", "segment", "product", "stage", "revisit_text")
            }
            rival, owner = f"{side}rival", "Nora North" if side == "North" else "Sue South"
            known = {
                "team": side,
                "owner": owner,
                "rival": rival,
                "winback": "open",
                "revisit_on": now().date(),
                **named,
            }
            add_losses(session, _EACH, seed=len(side), **known)
            session.flush()
        read_all(session)
        session.commit()


@pytest.mark.usefixtures("two_teams")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("viewer", [_MANAGER, _REP], ids=["manager", "rep"])
def test_no_page_shows_another_teams_deals(loss_app: FastAPI, browse: Browse, viewer: Viewer) -> None:
    browser = browse(viewer)
    answers = {path: browser.get(path) for path in pages(loss_app)}
    assert [path for path, answer in answers.items() if "South" in answer.text] == []
    assert {answer.status_code for answer in answers.values()} <= {200, 303, 403, 404, 409, 422}
    assert any("North" in answer.text for answer in answers.values())


@pytest.mark.usefixtures("two_teams")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_leader_sees_both_teams(browse: Browse) -> None:
    browser = browse(LEADER)
    for path in (f"/deals/D{_EACH}", "/winbacks", f"/losses/values?{WINDOW}&of=team"):
        assert "South" in browser.get(path).text, path
