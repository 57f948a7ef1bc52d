"""What a page costs a browser that has kept nothing, and that it asks nobody else for anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Serve
from tests.browser.every_page import PAGES, Shown, fill
from tests.browser.served_desk import ServedDesk

_MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def desk(serve: Serve) -> ServedDesk:
    filled = serve()
    fill(filled)
    return filled


@pytest.mark.parametrize("shown", PAGES, ids=[page.name for page in PAGES])
def test_page_stays_light_and_local(weigh: Callable[..., int], desk: ServedDesk, shown: Shown) -> None:
    """Who is asked, scripts that stop and what the policy refuses are watched by the fixtures of each page."""
    assert weigh(shown.person, shown.path_on(desk)) < _MOST_BYTES
