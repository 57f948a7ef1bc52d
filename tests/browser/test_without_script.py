"""The desk where scripts are blocked: plain forms do all of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.served_desk import PASSWORD, ServedDesk, email_of


@pytest.fixture
def plain(open_page: OpenPage) -> Any:
    """Gives a page of Ana's in which no script runs."""
    return open_page("ana", java_script_enabled=False)


def test_sign_in_leads_to_the_wanted_page(open_page: OpenPage) -> None:
    page = open_page(None, "/review?order=oldest", java_script_enabled=False)
    page.get_by_label("E-mail").fill(email_of("ben"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/review?order=oldest")
    page.get_by_role("button", name="Sign out").click()
    assert page.url.endswith("/sign-in")


@pytest.mark.parametrize(("button", "kind"), [("Accept all", "accept"), ("Cannot tell", "cannot_tell")])
def test_verdicts_are_buttons_of_a_form(desk: ServedDesk, plain: Any, button: str, kind: str) -> None:
    deal_id = f"D-{kind}"
    plain.goto(f"/review/deals/{desk.add_deal(deal_id)}")
    plain.get_by_role("button", name=button).click()
    assert desk.verdict_of(deal_id).kind == kind
    plain.get_by_role("button", name="Undo").click()
    assert desk.verdict_of(deal_id).kind == "undo"


def test_changed_values_are_kept(desk: ServedDesk, plain: Any) -> None:
    plain.goto(f"/review/deals/{desk.add_deal('D-change')}")
    plain.get_by_label("Primary reason").select_option("budget")
    plain.get_by_label("Champion").select_option("covered")
    plain.get_by_label("Comment").fill("Finance said so.")
    plain.get_by_role("button", name="Save changes").click()
    verdict = desk.verdict_of("D-change")
    assert (verdict.labels["reasons"][0], verdict.labels["meddpicc"]["champion"]) == ("budget", "covered")
    assert verdict.comment == "Finance said so."


def test_queue_is_filtered_by_its_button(desk: ServedDesk, plain: Any) -> None:
    desk.add_deal("D-budget", "The budget was cut.")
    plain.goto("/review")
    plain.get_by_label("Primary reason").select_option("budget")
    plain.get_by_role("button", name="Show").click()
    assert plain.locator("a.deal").all_inner_texts() == ["D-budget"]
    plain.locator("a.deal").click()
    assert "What the CRM holds now" in plain.locator("main").inner_text()
