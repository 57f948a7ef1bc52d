from __future__ import annotations

import pytest

from serving.store import Database
from tests.serving.privacy.privacy_world import World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
