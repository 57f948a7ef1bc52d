"""Keys as a person presses them: once the page is there to be seen, and counted."""

from __future__ import annotations

from typing import Any

import pytest


def await_keys(page: Any) -> None:
    """Waits until a deal's page takes keys: its script has run and it is painted; Chromium drops what comes before."""
    page.wait_for_selector(".has-script")
    await_paint(page)


def await_paint(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


class Hands:
    """Presses keys and counts them."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.n_pressed = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.n_pressed += 1

    def write(self, words: str) -> None:
        self.page.keyboard.type(words)

    def tab_to(self, what: str) -> None:
        """Goes on with Tab until the focus is on what the selector names."""
        for _ in range(80):
            if self.page.evaluate("selector => Boolean(document.activeElement?.matches(selector))", what):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {what}.")

    def expect_queue(self, query: str = "") -> None:
        self.page.wait_for_url(f"**/review{query}")
        await_paint(self.page)

    def expect_deal(self, deal_id: str) -> None:
        self.page.wait_for_function("id => document.querySelector('.facts dd')?.textContent === id", arg=deal_id)
        await_keys(self.page)
        self.n_pressed = 0
