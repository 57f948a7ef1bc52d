"""The CRMs that every connector's contract is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.serving.crm.bottlecrm_world import bottlecrm_world
from tests.serving.crm.demo_world import demo_world
from tests.serving.crm.hubspot_world import hubspot_world
from tests.serving.crm.salesforce_world import salesforce_world
from tests.serving.crm.tryton_world import tryton_world
from tests.serving.crm.worlds import World

WORLDS: dict[str, Callable[[], AbstractContextManager[World]]] = {
    "demo": demo_world,
    "salesforce": salesforce_world,
    "hubspot": hubspot_world,
    "bottlecrm": bottlecrm_world,
    "tryton": tryton_world,
}
NEED_SERVER = {"bottlecrm", "tryton"}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.crm] if name in NEED_SERVER else []) for name in WORLDS])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A fresh CRM of each kind with a connector to it."""
    with WORLDS[request.param]() as opened:
        yield opened
