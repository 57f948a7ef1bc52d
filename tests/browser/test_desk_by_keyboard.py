"""A working day at the desk without a mouse; after each verdict the database and the write-back queue say what follows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.hands import Hands
from tests.browser.served_desk import PASSWORD, ServedDesk, email_of


@pytest.fixture(autouse=True)
def empty_queue(desk: ServedDesk) -> Iterator[None]:
    """Lets every test begin with its own deals alone."""
    yield
    desk.settle_all()


@pytest.fixture
def ana(open_page: OpenPage) -> Hands:
    return Hands(open_page("ana"))


def test_day_goes_from_sign_in_to_sign_out(desk: ServedDesk, open_page: OpenPage) -> None:
    desk.add_deal("A-11", "Lost on price, we were 30% over.")
    desk.add_deal("B-11", "The budget was cut.")
    hands = Hands(open_page(None, "/"))
    hands.tab_to("#email")
    hands.write(email_of("ben"))
    hands.press("Tab")
    hands.write(PASSWORD)
    hands.press("Enter")
    hands.expect_queue()
    hands.press("/")
    hands.write("Budget")
    hands.page.wait_for_url("**reason=budget*")
    assert hands.page.locator("#found").inner_text() == "1 deal waits under these filters."
    hands.press("Escape", "j", "Enter")
    hands.expect_deal("B-11")
    hands.press("?")
    assert hands.page.locator("#keys").is_visible()
    hands.press("Escape")
    hands.tab_to("header button")
    hands.press("Enter")
    hands.page.wait_for_url("**/sign-in")


def test_right_deal_takes_one_key(desk: ServedDesk, ana: Hands) -> None:
    desk.add_deal("A-21")
    desk.add_deal("A-22")
    ana.page.goto("/review")
    ana.tab_to("a[href='/review/next']")
    ana.press("Enter")
    ana.expect_deal("A-21")
    ana.press("a")
    ana.page.wait_for_url("**judged=*")
    assert ana.n_pressed <= 3
    verdict, queue = desk.verdict_of("A-21"), desk.queued("A-21")
    assert (verdict.kind, verdict.labels["reasons"]) == ("accept", ["price"])
    assert [state for state, _ in queue] == ["undone", "due"]
    released = queue[-1][1]
    assert released["lossnlp_primary_reason"] == "price"
    assert released["lossnlp_review_state"] == "confirmed"
    ana.expect_deal("A-22")


def test_wrong_primary_takes_six_keys(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-31", "They said price and the champion left.")
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-31")
    ana.press("r", "b", "u", "Enter", "s")
    ana.expect_queue("?judged=*")
    assert ana.n_pressed <= 6
    verdict = desk.verdict_of("A-31")
    assert (verdict.kind, verdict.labels["reasons"]) == ("change", ["budget"])
    assert verdict.seconds > 0
    state, values = desk.queued("A-31")[-1]
    assert (state, values["lossnlp_primary_reason"]) == ("due", "budget")


def test_second_reason_becomes_primary_by_number(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-41", "Price came up, then legal took over.")
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-41")
    ana.press("2", "s")
    ana.expect_queue("?judged=*")
    assert desk.verdict_of("A-41").labels["reasons"] == ["procurement_legal", "price"]


def test_elements_flags_and_comment_change_by_key(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-51")
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-51")
    ana.press("m", "7", "1", "Escape", "f", "2", "Escape", "w", "w", "c")
    ana.write("The new lead knows us.")
    ana.press("Control+Enter")
    ana.expect_queue("?judged=*")
    verdict = desk.verdict_of("A-51")
    assert verdict.labels["meddpicc"] == {"champion": "covered", "metrics": "gap"}
    assert verdict.labels["winback"] == "closed"
    assert verdict.comment == "The new lead knows us."
    assert desk.queued("A-51")[-1][1]["lossnlp_gap_metrics"] == "gap"


def test_words_after_an_emoji_become_evidence(desk: ServedDesk, ana: Hands) -> None:
    text = "Great week 🙂👍🏽 and then the price was too high for them."
    review_id = desk.add_deal("A-61", text)
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-61")
    ana.press("n", *["Control+ArrowRight"] * 2, *["Control+Shift+ArrowRight"] * 2)
    assert ana.page.evaluate("getSelection().toString().trim()") == "too high"
    ana.press("e")
    ana.write("budget")
    ana.press("Enter", "s")
    ana.expect_queue("?judged=*")
    labels = desk.verdict_of("A-61").labels
    assert labels["reasons"] == ["price", "budget"]
    [quote] = labels["evidence"]["budget"]
    assert (quote["start"], quote["text"]) == (text.index("too high"), "too high")


def test_cannot_tell_stops_what_was_queued(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-71")
    assert [state for state, _ in desk.queued("A-71")] == ["due"]
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-71")
    ana.press("t")
    ana.expect_queue("?judged=*")
    assert (desk.verdict_of("A-71").kind, desk.verdict_of("A-71").labels) == ("cannot_tell", None)
    assert [(state, planned) for state, planned in desk.queued("A-71") if state == "due"] in ([], [("due", {})])


def test_undo_brings_the_deal_and_its_queue_back(desk: ServedDesk, ana: Hands) -> None:
    desk.add_deal("A-81")
    desk.add_deal("A-82")
    ana.page.goto("/review/next")
    for deal_id in ("A-81", "A-82"):
        ana.expect_deal(deal_id)
        ana.press("a")
    ana.expect_queue("?judged=*")  # the last one leads to the queue
    ana.press("u")
    ana.expect_deal("A-82")
    assert desk.verdict_of("A-82").kind == "undo"
    state, values = desk.queued("A-82")[-1]
    assert (state, values["lossnlp_review_state"]) == ("due", "waiting")
    assert "lossnlp_primary_reason" not in values


def test_changed_values_are_not_dropped_by_one_key(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-91", "They said price.")
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-91")
    ana.press("w", "a")
    assert "s saves them" in ana.page.locator("#status").inner_text()
    assert desk.n_verdicts("A-91") == 0


def test_single_keys_can_be_switched_off(desk: ServedDesk, ana: Hands) -> None:
    review_id = desk.add_deal("A-101")
    ana.page.goto(f"/review/deals/{review_id}")
    ana.expect_deal("A-101")
    ana.press("?")
    ana.tab_to("#keys-on")
    ana.press("Space", "Escape", "a")
    ana.page.reload()
    ana.expect_deal("A-101")
    ana.press("a")
    assert desk.n_verdicts("A-101") == 0
