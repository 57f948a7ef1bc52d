"""Two people at one desk: never at the same deal, each sees who holds what, and a second opinion is given blind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import OpenPage, Serve
from tests.browser.hands import await_keys
from tests.browser.served_desk import ServedDesk

DEALS = [f"D-{number}" for number in range(4)]


@pytest.fixture
def desk(serve: Serve) -> ServedDesk:
    """A desk of each test's own."""
    return serve()


def deal_on(page: Any) -> str:
    await_keys(page)
    return str(page.locator(".facts dd").first.inner_text())


def accept(page: Any) -> None:
    await_keys(page)
    with page.expect_navigation():
        page.keyboard.press("a")


def test_two_never_get_the_same_deal(desk: ServedDesk, open_page: OpenPage) -> None:
    for deal_id in DEALS:
        desk.add_deal(deal_id)
    pages, seen = [open_page(name, "/review/next") for name in ("ana", "ben")], list[str]()
    for _ in range(len(DEALS) // 2):
        deals = [deal_on(page) for page in pages]
        assert deals[0] != deals[1]
        seen += deals
        for page in pages:
            accept(page)
    assert sorted(seen) == DEALS
    assert [desk.n_verdicts(deal_id) for deal_id in DEALS] == [1] * len(DEALS)


def test_who_holds_a_deal_is_shown(desk: ServedDesk, open_page: OpenPage) -> None:
    review_id = desk.add_deal("D-0")
    ana, ben = open_page("ana", f"/review/deals/{review_id}"), open_page("ben", "/review")
    assert "held by others" in ben.locator("#queue").inner_text()
    ben.goto("/review?held=all")
    assert "Ana, until" in ben.locator(".queue").inner_text()
    ben.goto(f"/review/deals/{review_id}")
    assert "Ana is looking at this deal" in ben.locator("main").inner_text()
    assert ben.locator("#verdict").count() == 0
    ana.goto("/review")
    ben.wait_for_function("async () => !(await (await fetch(location)).text()).includes('Ana is looking')")
    ben.reload()
    accept(ben)
    assert desk.verdict_of("D-0").person.name == "Ben"


def test_second_opinion_is_given_blind(desk: ServedDesk, open_page: OpenPage) -> None:
    review_id = desk.add_deal("D-0", "They said price.", wanted=2)
    ana, ben = (open_page(name) for name in ("ana", "ben"))
    ana.goto(f"/review/deals/{review_id}")
    await_keys(ana)
    ana.keyboard.press("c")
    ana.keyboard.type("Finance told me so.")
    ana.keyboard.press("Escape")
    for key in ("r", "b", "u", "Enter", "s"):
        ana.keyboard.press(key)
    ana.wait_for_url("**judged=*")
    ben.goto("/review/next")
    blind = ben.locator("main").inner_text()
    assert "Two people judge this deal apart" in blind
    assert "Ana" not in blind
    assert "Finance told me so." not in ben.content()
    accept(ben)
    ben.goto(f"/review/deals/{review_id}")
    assert "Finance told me so." in ben.locator("main").inner_text()
    assert "verdicts differ" in ben.locator(".facts").inner_text().lower()
