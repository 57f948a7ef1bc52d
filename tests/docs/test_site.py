"""The documentation site is whole, says what the code says, and asks nobody else for anything."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser
from pydantic_settings import BaseSettings

import lossnlp
from docs.from_code import program_help, settings_classes, settings_part, training_programs, variables
from docs.site import ROOT, build_site, page_faults
from serving.settings import Settings

pytestmark = pytest.mark.filterwarnings("default")  # what the programs of training bring warns of itself


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the built site; that it was built says that no link of it leads to nothing."""
    return build_site(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def words(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_setting_is_on_its_page(site: Path) -> None:
    told = words(site / "docs" / "reference" / "settings.html")
    names = [name for settings in settings_classes() for name in variables(settings)]
    assert Settings in settings_classes()
    assert [name for name in names if name not in told] == []


@pytest.mark.parametrize(
    "command", ["lossnlp explain", "lossnlp-serve model rollback", "lossnlp-serve verdicts export"]
)
def test_commands_are_on_their_page(site: Path, command: str) -> None:
    assert command in words(site / "docs" / "reference" / "commands.html")


def test_every_program_of_training_is_on_its_page(site: Path) -> None:
    told = words(site / "docs" / "reference" / "training.html")
    assert {"training.train", "training.promote"} <= set(training_programs())
    assert [name for name in training_programs() if f"usage: python -m {name}" not in told] == []


def test_every_public_name_is_on_its_page(site: Path) -> None:
    page = (site / "docs" / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in lossnlp.__all__ if f'id="lossnlp.{name}"' not in page] == []


def test_guide_to_training_names_every_option() -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", program_help("training.train"))) - {"--help"}
    guide = (ROOT / "docs" / "retrain.md").read_text(encoding="utf-8")
    assert len(options) > 15
    assert sorted(option for option in options if f"| `{option}" not in guide) == []


def test_setting_without_a_meaning_is_named() -> None:
    class SilentSettings(BaseSettings):
        """What says nothing of itself."""

        left_out: int = 1

    with pytest.raises(LookupError, match="'left_out'"):
        settings_part(SilentSettings)


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ('<a href="gone.html">', "leads to gone.html"),
        ('<a href="/gone/">', "leads to /gone/"),
        ('<img src="https://elsewhere.example/a.png">', "would load https://elsewhere.example/a.png"),
        ('<script src="//elsewhere.example/a.js">', "would load //elsewhere.example/a.js"),
        ('<link rel="stylesheet" href="https://elsewhere.example/a.css">', "would load"),
    ],
)
def test_fault_of_a_page_is_told(tmp_path: Path, element: str, fault: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(f'{element}<a href="page.html#top"><a href="https://elsewhere.example/">', encoding="utf-8")
    (told,) = page_faults(page, tmp_path)
    assert fault in told


@pytest.mark.browser
def test_pages_and_search_ask_nobody_else(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("index.html", "docs/start/data.html", "docs/reference/python.html"):
        page.goto(f"{address}/{path}")
    page.keyboard.press("Control+k")
    page.keyboard.type("drift")
    page.get_by_role("link", name="Drift").first.wait_for()
    assert {urlsplit(one).netloc for one in asked} == {urlsplit(address).netloc}
    page.close()
