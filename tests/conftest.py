"""What the tests share: the shipped classifier and the browser, started once a process; none of them reaches a model hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lossnlp.classifier import LossClassifier

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is first imported
_MEMORY, _ROOM = Path("/dev/shm"), 4 * 1024**3  # noqa: S108 (folders of a run, named by pytest)


def pytest_configure() -> None:
    """Lets each worker reckon in one thread, since threads that wait for each other spin; and keeps temporary files in memory.

    SQLite waits for the disk at every commit. Where memory has too little room, the files lie where they always do.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
        os.environ.setdefault("TMPDIR", str(_MEMORY))


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Gives half as many processes again as there are processors: one that waits for a browser or a server uses none."""
    processors = yield
    return processors + (processors + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files of slow tests: one that came last would be waited for alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def classifier() -> LossClassifier:
    return LossClassifier.load()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Gives the browser; with a caret in the text, as a press of F7 gives it to who has no mouse."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        why = "no Chromium on this machine: apt-get install chromium"
        pytest.fail(why) if os.environ.get("LOSSNLP_REQUIRE_BROWSER") else pytest.skip(why)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--enable-caret-browsing"])
        yield browser
        browser.close()
