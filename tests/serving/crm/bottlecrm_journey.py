"""A real BottleCRM and a listening lossnlp that tell each other of lost deals."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serving.app import create_app
from serving.crm.protocol import Fields
from serving.server import open_port, serving_beside
from serving.settings import load_settings
from tests.serving.conftest import KEY
from tests.serving.crm.bottlecrm_world import BottleCrmWorld, bottlecrm_world
from tests.serving.crm.journey import REASON, Service, run_command, service_beside
from tests.serving.crm.stories import STORIES, Story, story_of

EVENTS = ["deal.lost", "deal.updated"]
DEALS = "/api/opportunities/"
DEFINITIONS = "/api/custom-fields/"


@dataclass(frozen=True)
class BottleCrmJourney:
    """One organisation and the lossnlp that is connected to it.

    Args:
        world: The CRM as its people use it; `line` is the connector's way to it.
        service: The loops, with their database.
        url: Where lossnlp listens.
        hook_id: Of the webhook in the CRM.
        told: The deals that were lost first, by id.
    """

    world: BottleCrmWorld
    service: Service
    url: str
    hook_id: str
    told: dict[str, Story] = field(default_factory=dict)

    def lose(self, reason: str = "price") -> str:
        """Gives the id of one more lost deal, of which the CRM has told already."""
        return self.world.lose(story_of(reason).anew())

    def lose_unheard(self, reason: str = "price") -> str:
        """Gives the id of one more lost deal, of which no webhook tells."""
        self._switch_hook(is_active=False)
        deal_id = self.lose(reason)
        self._switch_hook(is_active=True)
        return deal_id

    def get_fields(self, deal_id: str) -> Fields:
        """Gives what stands in BottleCRM."""
        return self.world.get_fields(deal_id)

    def find_deliveries(self) -> list[dict[str, Any]]:
        """Gives the CRM's own log of its webhooks, oldest first."""
        answer = self.world.session.get(f"/api/webhooks/{self.hook_id}/deliveries/", params={"limit": 10_000})
        return list(reversed(answer.json()["results"]))

    def find_told(self, deal_id: str, event: str = "deal.lost") -> list[dict[str, Any]]:
        """Gives what that log says of one event of a deal."""
        told = (event, deal_id)
        return [row for row in self.find_deliveries() if (row["event"], row["payload"]["data"]["id"]) == told]

    def redeliver(self, deal_id: str) -> None:
        """Has the CRM tell once more what it told of a deal."""
        first = self.find_told(deal_id)[0]
        assert self.world.session.post(f"/api/webhooks/deliveries/{first['id']}/redeliver/").is_success

    def count_calls(self, outcome: str) -> int:
        """Gives how many calls at its door the running service has counted with this outcome."""
        answer = httpx2.get(f"{self.url}/metrics", headers={"Authorization": f"Bearer {KEY}"}).raise_for_status()
        found = re.search(rf'lossnlp_door_calls_total{{door="bottlecrm",outcome="{outcome}"}} (\d+)', answer.text)
        return int(found[1]) if found else 0

    def count_writes(self, deal_id: str) -> int:
        return self.world.line.calls.count(f"PATCH {DEALS}{deal_id}/")

    def find_options(self) -> list[dict[str, str]]:
        """Gives the picklist of the reason."""
        return list(self._reason_definition()["options"])

    @contextmanager
    def without_choice(self, value: str) -> Iterator[None]:
        """Takes a value out of the picklist of the reason for a while, as an administrator would."""
        options = self.find_options()
        self._set_options([option for option in options if option["value"] != value])
        yield
        self._set_options(options)

    @contextmanager
    def before_call(self, call: str, act: Callable[[], object]) -> Iterator[None]:
        """Does something once, just before the connector's next such call, as `GET /path/`, reaches the CRM."""
        left = [act]

        def step_in(request: httpx2.Request) -> None:
            if left and f"{request.method} {request.url.path}" == call:
                left.pop()()

        before, self.world.line.before = self.world.line.before, step_in
        yield
        self.world.line.before = before
        assert not left, f"no {call}"

    def _switch_hook(self, *, is_active: bool) -> None:
        path = f"/api/webhooks/{self.hook_id}/"
        assert self.world.session.patch(path, json={"is_active": is_active}).is_success

    def _reason_definition(self) -> dict[str, Any]:
        found = self.world.person.get(DEFINITIONS, params={"target_model": "Opportunity"}).json()["definitions"]
        return next(dict(one) for one in found if one["key"] == REASON)

    def _set_options(self, options: list[dict[str, str]]) -> None:
        found = self._reason_definition()
        body = {"label": found["label"], "options": options}
        assert self.world.person.put(f"{DEFINITIONS}{found['id']}/", json=body).is_success


@contextmanager
def bottlecrm_journey(folder: Path, migrated_file: Path) -> Iterator[BottleCrmJourney]:
    """Gives a CRM set up by `crm setup`, with thirty deals lost, told by webhook, classified and written back.

    Args:
        folder: For lossnlp's files.
        migrated_file: A fresh database to start from.
    """
    with ExitStack() as stack:
        world = stack.enter_context(bottlecrm_world())
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        listener = stack.enter_context(open_port("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/doors/bottlecrm"
        hook = world.session.post("/api/webhooks/", json={"url": address, "events": EVENTS}).json()
        shutil.copy(migrated_file, folder / "lossnlp.sqlite3")
        for name, value in _variables(world, folder, hook["secret"]).items():
            environment.setenv(name, value)
        run_command("crm", "setup")
        settings = load_settings()
        service = stack.enter_context(service_beside(world.crm, settings.database_url))
        app = create_app(settings, assessor=service.assessor)
        url = stack.enter_context(serving_beside(app, listener))
        journey = BottleCrmJourney(world, service, url, hook["id"])
        journey.told.update({world.lose(story.deal): story for story in STORIES})
        service.run()
        yield journey


def _variables(world: BottleCrmWorld, folder: Path, secret: str) -> dict[str, str]:
    return {
        "LOSSNLP_VAR_DIR": str(folder),
        "LOSSNLP_API_KEY": KEY,
        "LOSSNLP_CRM": "bottlecrm",
        "LOSSNLP_BOTTLECRM_URL": world.url,
        "LOSSNLP_BOTTLECRM_TOKEN": world.token,
        "LOSSNLP_DOOR_BOTTLECRM_SECRET": secret,
    }
