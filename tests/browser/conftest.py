"""Headless Chromium before a desk that is really served; nothing that a page loads may come from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser
from pydantic import SecretStr

from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.review.texts import TextSource
from serving.schema import migrate
from serving.server import open_port, serving_beside
from serving.settings import Settings
from serving.store import Database
from tests.browser.served_desk import PASSWORD, ServedDesk, UnsureAssessor, add_people, email_of

Serve = Callable[[], ServedDesk]
OpenPage = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def peopled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a migrated database in which everybody has an account."""
    file = tmp_path_factory.mktemp("peopled") / "lossnlp.sqlite3"
    migrate(f"sqlite:///{file}")
    database = Database(f"sqlite:///{file}")
    add_people(database)
    database.close()
    return file


@pytest.fixture(scope="module")
def serve(peopled_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serves desks without a deal until the module ends."""
    with ExitStack() as running:

        def start() -> ServedDesk:
            folder = tmp_path_factory.mktemp("desk")
            shutil.copy(peopled_file, folder / "lossnlp.sqlite3")
            settings = Settings(
                var_dir=folder,
                api_key=SecretStr("a-key-that-is-long-enough"),
                crm="demo",
                agreement_rate=0,
                label_errors=folder / "label_errors.jsonl",
            )
            app, crm = create_app(settings, assessor=UnsureAssessor()), DemoCrm(deals=[])
            app.state.texts = TextSource(app.state.database, lambda: crm)
            listener = running.enter_context(open_port("127.0.0.1", 0))
            url = running.enter_context(serving_beside(app, listener))
            database = Database(settings.database_url)
            running.callback(database.close)
            return ServedDesk(url, app, database, crm)

        yield start


@pytest.fixture(scope="module")
def desk(serve: Serve) -> ServedDesk:
    """Gives the one desk of a module."""
    return serve()


@pytest.fixture
def requests_elsewhere() -> Iterator[list[str]]:
    """Fails the test when a page has asked another host for anything."""
    asked: list[str] = []
    yield asked
    assert asked == []


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Fails the test when a script stopped, a file was missing, or the browser refused something by our policy."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def open_page(
    chromium: Browser, desk: ServedDesk, requests_elsewhere: list[str], complaints: list[str]
) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own: `name` is signed in, `at` the desk that is asked, `options` are the context's."""
    contexts: list[Any] = []

    def watch(context: Any, at: ServedDesk) -> None:
        host = urlsplit(at.url).netloc
        context.on("request", lambda one: urlsplit(one.url).netloc == host or requests_elsewhere.append(one.url))
        context.on("console", lambda line: complaints.append(line.text) if is_complaint(line) else None)
        context.on("weberror", lambda raised: complaints.append(str(raised.error)))

    def is_complaint(line: Any) -> bool:
        is_refused_form = "status of 422" in line.text  # the page says so itself
        return line.type in ("error", "warning") and not is_refused_form

    def open_(name: str | None = None, path: str = "", *, at: ServedDesk = desk, **options: Any) -> Any:
        known = _cookies(chromium, at, name) if name else None
        context = chromium.new_context(base_url=at.url, storage_state=known, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        watch(context, at)
        page = context.new_page()
        if path:
            page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()


def _cookies(chromium: Browser, desk: ServedDesk, name: str) -> Any:
    """Gives the cookies of a person, who signs in at their first page."""
    if name not in desk.cookies:
        context = chromium.new_context(base_url=desk.url)
        context.request.post("/sign-in", form={"email": email_of(name), "password": PASSWORD})
        desk.cookies[name] = context.storage_state()
        context.close()
    return desk.cookies[name]


@pytest.fixture
def weigh(open_page: OpenPage) -> Callable[..., int]:
    """Gives the bytes that a page and all that it loads take over the wire, for a browser that has kept nothing."""

    def weighed(*args: Any, **options: Any) -> int:
        page, total = open_page(*args[:1], **options), [0]
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda told: total.append(int(told["encodedDataLength"])))
        page.goto(args[1])
        page.wait_for_load_state("networkidle")
        return sum(total)

    return weighed
