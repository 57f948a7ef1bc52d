"""Words that blame or shame; no page, question or review of ours uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Whole words and what they are the beginning of, in lower case.
SHAMING = (
    "accountable for losing", "ashamed", "at fault", "bad rep", "best rep", "blame", "blunder", "botched", "bottom performer",
    "careless", "culprit", "disappoint", "embarrass", "excuse", "failed rep", "failing", "failure", "fault", "flunk", "guilt",
    "hall of shame", "incompetent", "inept", "laggard", "lazy", "leaderboard", "let us down", "loser", "low performer", "mess up",
    "messed up", "mistake", "negligen", "offender", "poor performer", "ranked", "ranking", "screwed", "shame", "should have known",
    "sloppy", "stupid", "top performer", "underperform", "unprofessional", "weakest", "worst", "your own fault",
)  # fmt: skip
_FOUND = re.compile(rf"\b(?:{'|'.join(map(re.escape, SHAMING))})\w*", re.IGNORECASE)
# Code of a template, and tags but for what their attributes say to people
_CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}|<style.*?</style>|<svg.*?</svg>", re.DOTALL)
_FOR_MACHINES = re.compile(r'\b(?:id|class|for|name|aria-describedby|aria-labelledby|aria-invalid)="[^"]*"')
_SAID_IN_TAG = re.compile(r'(?:aria-label|title|placeholder|alt)="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")
_IN_CODE = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")


def find_shaming(text: str) -> list[str]:
    """Gives the words of the list that stand in a text."""
    return [found[0] for found in _FOUND.finditer(text)]


def words_of_page(page: str) -> str:
    """Gives what a page or a template says to people: its text, what its tags say, and sentences within its code."""
    return "\n".join(_words_of_page(page))


def _words_of_page(page: str) -> Iterator[str]:
    for code in _CODE.finditer(page):
        yield from (said for pair in _IN_CODE.findall(code[0]) for said in pair if " " in said)
    without_code = _FOR_MACHINES.sub(" ", _CODE.sub("", page))
    yield from _SAID_IN_TAG.findall(without_code)
    yield _TAG.sub(" ", without_code)
