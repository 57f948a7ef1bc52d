"""Models are swapped under a steady stream of requests, and nobody who asks notices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
import pytest

from lossnlp.bundle import read_bundle
from lossnlp.pointer import write_pointer
from serving.app import create_app
from serving.intake import Assessor
from serving.model.folder import FolderSource
from serving.model.following import Follower, open_follower
from serving.server import open_port, serving_beside
from serving.settings import Settings
from tests.serving.model.conftest import MakeBundle

DAYS = [f"2026-11-0{day}" for day in range(1, 6)]
PER_SECOND = 20
SECONDS = 5
KEY = {"Authorization": "Bearer test-key-that-is-long-enough"}


@pytest.fixture
def served(
    settings: Settings, bundles: Path, make_bundle: MakeBundle, load: Callable[[Path], Assessor]
) -> Iterator[tuple[str, Follower]]:
    """The service on a port, following the folder of bundles; its address and what follows."""
    for day in DAYS:
        make_bundle(day)
    write_pointer(bundles, DAYS[0])
    follower = open_follower(FolderSource(bundles), load, every_s=0.05)
    app = create_app(settings.model_copy(update={"model": str(bundles)}), assessor=follower)
    with serving_beside(app, open_port("127.0.0.1", 0)) as url:
        yield url, follower


def ask(client: httpx2.Client, number: int) -> httpx2.Response:
    return client.post("/v1/assessments", json={"id": f"D-{number}", "text": f"price was too high, case {number}"})


def stream(url: str, switch: Callable[[int], None]) -> list[httpx2.Response]:
    """Gives the answers to twenty requests a second, in the order in which they were sent."""
    answers: list[Future[httpx2.Response]] = []
    with httpx2.Client(base_url=url, headers=KEY, timeout=30) as client, ThreadPoolExecutor(16) as pool:
        for number in range(PER_SECOND * SECONDS):
            switch(number)
            answers.append(pool.submit(ask, client, number))
            time.sleep(1 / PER_SECOND)
        return [answer.result() for answer in answers]


def version_of(answer: httpx2.Response) -> str:
    version: str = answer.json()["model"]["version"]
    return version


def test_four_swaps_fail_no_request(served: tuple[str, Follower], bundles: Path) -> None:
    versions = [read_bundle(bundles / day).manifest.version for day in DAYS]

    def switch(number: int) -> None:
        if number and number % PER_SECOND == 0:
            write_pointer(bundles, DAYS[number // PER_SECOND])

    answers = stream(served[0], switch)
    assert {answer.status_code for answer in answers} == {201}
    places = [versions.index(version_of(answer)) for answer in answers]
    assert places == sorted(places)
    assert set(places) == set(range(5))


def test_broken_bundles_under_load_fail_no_request(served: tuple[str, Follower], bundles: Path) -> None:
    for day in DAYS[1:]:
        (bundles / day / "calibration.json").write_text("altered", encoding="utf-8")

    def switch(number: int) -> None:
        if number and number % PER_SECOND == 0:
            write_pointer(bundles, DAYS[number // PER_SECOND])

    answers = stream(served[0], switch)
    assert {answer.status_code for answer in answers} == {201}
    assert {version_of(answer) for answer in answers} == {read_bundle(bundles / DAYS[0]).manifest.version}


def test_request_under_way_ends_on_its_model(
    settings: Settings, bundles: Path, two: tuple[str, str], load: Callable[[Path], Assessor]
) -> None:
    is_reading, may_go_on = Event(), Event()

    def load_slow(folder: Path) -> Assessor:
        assessor: Any = load(folder)
        read = assessor.assess

        def assess(deal: Any) -> Any:
            if deal.id == "slow":
                is_reading.set()
                may_go_on.wait(30)
            return read(deal)

        assessor.assess = assess
        return assessor  # type: ignore[no-any-return]

    follower = open_follower(FolderSource(bundles), load_slow, every_s=0.05)
    app = create_app(settings, assessor=follower)
    with (
        serving_beside(app, open_port("127.0.0.1", 0)) as url,
        httpx2.Client(base_url=url, headers=KEY, timeout=30) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(client.post, "/v1/assessments", json={"id": "slow", "text": "price was too high"})
        is_reading.wait(30)
        write_pointer(bundles, "2026-11-02")
        await_version(follower, two[1])
        quick = client.post("/v1/assessments", json={"id": "quick", "text": "price was too high"})
        may_go_on.set()
        assert version_of(quick) == two[1]
        assert version_of(slow.result()) == two[0]
        assert client.get("/readyz").json()["model"] == two[1]


def await_version(follower: Follower, version: str) -> None:
    """Returns when the model is in service; the test's own limit ends a wait for one that never comes."""
    seen = Event()

    def look() -> None:
        while follower.model.model_version != version:
            time.sleep(0.01)
        seen.set()

    Thread(target=look, daemon=True).start()
    assert seen.wait(30)
