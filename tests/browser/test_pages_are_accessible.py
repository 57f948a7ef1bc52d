"""Every page for everyone: axe finds nothing in light or dark, on a desk or a phone, and nothing runs out of a narrow one."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.browser.conftest import OpenPage, Serve
from tests.browser.every_page import PAGES, WAITING, Shown, fill
from tests.browser.hands import await_keys
from tests.browser.served_desk import ServedDesk

# All rules that are on by themselves, and the size of targets of WCAG 2.2 AA, which is not.
_RULES = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_IN_DARK = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}  # the rest is the same as in light
_DESK, _PHONE, _NARROW = 1280, 390, 360
_ALL_OF_IT = 12_000  # so high that bars which stay in sight cover nothing
_OVERFLOW = """() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll('body *')]
        .filter((one) => one.getBoundingClientRect().right > wide + 0.5 && !one.closest('.scroll'))
        .map((one) => one.outerHTML.slice(0, 100));
}"""


@pytest.fixture(scope="module")
def desk(serve: Serve) -> ServedDesk:
    filled = serve()
    fill(filled)
    return filled


@pytest.fixture
def look(open_page: OpenPage) -> OpenPage:
    """Opens pages of who wants no motion: between two colours a link passes through some that nobody can read."""
    return partial(open_page, reduced_motion="reduce")


def faults_of(page: Any, part: str = "html") -> list[str]:
    """Gives what axe finds in a part of a page, in light and dark and at both widths, and what runs out of a narrow page."""
    page.evaluate(AXE_SCRIPT)
    found: list[str] = []
    for (scheme, rules), width in product((("light", _RULES), ("dark", _IN_DARK)), (_DESK, _PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": _ALL_OF_IT})
        for rule in page.evaluate("how => axe.run(...how)", [part, rules])["violations"]:
            where = "; ".join(str(node["target"]) for node in rule["nodes"])
            found.append(f"{scheme}, {width} px: {rule['help']}: {where}")
    page.set_viewport_size({"width": _NARROW, "height": 740})
    return found + [f"wider than {_NARROW} px: {element}" for element in page.evaluate(_OVERFLOW)]


@pytest.mark.parametrize("shown", PAGES, ids=[page.name for page in PAGES])
def test_page_is_for_everyone(look: OpenPage, desk: ServedDesk, shown: Shown) -> None:
    page = look(shown.person, shown.path_on(desk))
    page.wait_for_selector(shown.settled)
    assert faults_of(page) == []


def test_empty_queue_is_accessible(look: OpenPage, serve: Serve) -> None:
    page = look("ana", "/review", at=serve())
    assert "No deal has come in yet" in page.locator("main").inner_text()
    assert faults_of(page) == []


def test_open_dialogs_are_accessible(look: OpenPage, desk: ServedDesk) -> None:
    page = look("ana", f"/review/deals/{desk.review_of(WAITING)}")
    await_keys(page)
    for key in ("?", "r"):
        page.keyboard.press(key)
        assert faults_of(page, "dialog[open]") == []
        page.keyboard.press("Escape")


def test_refused_form_says_so_at_its_field(look: OpenPage, desk: ServedDesk) -> None:
    page = look("ana", f"/review/deals/{desk.review_of(WAITING)}")
    page.get_by_label("Primary reason").select_option("unknown")
    page.get_by_label("Comment").fill("Nobody knows.")
    page.get_by_text("Other reasons that also apply").click()
    page.get_by_label("Vendor trust").check()
    with page.expect_navigation():
        page.locator(".actions").get_by_role("button", name="Save changes").click()
    assert page.locator("#primary").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Comment").input_value() == "Nobody knows."
    assert faults_of(page) == []
