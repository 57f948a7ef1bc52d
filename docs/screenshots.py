"""Pictures of the pages for the documentation: the demo as its person sees it, 1280 px wide, in light.

Run: python -m docs.screenshots
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from pydantic import SecretStr

from serving.app import create_app
from serving.crm.connect import connect_crm
from serving.crm.protocol import fetch_all_lost
from serving.intake import Intake, parse_deal
from serving.people.first_person import DEMO_EMAIL, make_demo_person
from serving.schema import migrate, open_database
from serving.server import open_port, serving_beside
from serving.settings import Settings

_FOLDER = Path(__file__).parent / "images"
_DEAL = "OV-2104"  # a note and a call that say different things
_SIZE: ViewportSize = {"width": 1280, "height": 900}


def main() -> None:
    """Writes the pictures."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("No Chromium on this machine: apt-get install chromium")
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with _demo(Path(folder)) as (url, password):
            _picture_all(_signed_in(browser, url, password))
        browser.close()


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    """Gives the address of the demo with all of its deals assessed, and the password of its person."""
    settings = Settings(var_dir=folder, api_key=SecretStr("only-for-these-pictures"), crm="demo")
    migrate(settings.database_url)
    database = open_database(settings.database_url)
    password = make_demo_person(database, folder).read_text(encoding="ascii").strip()
    database.close()
    app = create_app(settings)
    with open_port("127.0.0.1", 0) as listener, serving_beside(app, listener) as url:
        intake: Intake = app.state.intake
        for request in fetch_all_lost(connect_crm(settings)):
            intake.take_deal(parse_deal(request))
        yield url, password


def _signed_in(browser: Browser, url: str, password: str) -> Page:
    context = browser.new_context(base_url=url, viewport=_SIZE, color_scheme="light")
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(DEMO_EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    return page


def _picture_all(page: Page) -> None:
    page.goto("/review?order=amount")
    _picture(page, "queue")
    page.get_by_role("link", name=_DEAL).click()
    _picture(page, "deal")
    page.goto("/losses")
    _picture(page, "losses")
    page.goto("/winbacks")
    _picture(page, "winbacks")


def _picture(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=_FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
