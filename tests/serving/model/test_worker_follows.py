"""The worker follows the champion too, and opens its loops anew when the labels change."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

import pytest

from serving.closed_loop import run_following
from serving.model.following import Follower
from serving.model.history import find_services
from serving.settings import Settings
from serving.store import Database


@pytest.mark.usefixtures("set_up_logs")
def test_loops_are_opened_anew_with_new_labels(
    settings: Settings, follower: Follower, small_database: Database
) -> None:
    stop, before = Event(), follower.on_labels
    words = {"poll": False, "follower": follower}
    worker = Thread(target=run_following, args=(settings, stop), kwargs=words, daemon=True)
    worker.start()
    first = await_other(follower, before)
    first()
    assert await_other(follower, first) is not first
    stop.set()
    worker.join(30)
    assert not worker.is_alive()
    with small_database.reading() as session:
        [served] = find_services(session, most=10)
        assert (served.role, served.model_version) == ("worker", follower.model.model_version)
        assert served.ended_at is not None


def await_other(follower: Follower, known: Callable[[], object]) -> Callable[[], object]:
    """Gives what is called at the next change of labels, once it is another than the one that is known."""
    for _ in range(3000):
        if follower.on_labels != known:
            return follower.on_labels
        time.sleep(0.01)
    raise TimeoutError
