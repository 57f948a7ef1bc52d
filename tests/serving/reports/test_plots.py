from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from serving.reports.plots import Bar, Point, Square, Words, draw_bars, draw_heat, draw_lines

WORDS = Words("Shares & <more>", "Price 30 %")
BARS = (Bar("Price <b>", 0.3, 0.25, 0.35), Bar("Budget", 0.2, 0.15, 0.25))
POINTS = (
    Point("Price", "2026-04", 0.3, 0.2, 0.4),
    Point("Price", "2026-05", None),
    Point("Price", "2026-06", 0.2, 0.1, 0.3),
)
SQUARES = (Square("Proposal", "Champion", 0.4), Square("Proposal", "Metrics", None))
DRAWINGS = [draw_bars(BARS, WORDS), draw_lines(POINTS, WORDS), draw_heat(SQUARES, WORDS)]


@pytest.mark.parametrize("svg", DRAWINGS)
def test_drawing_says_what_it_shows(svg: str) -> None:
    root = ET.fromstring(svg)  # noqa: S314 (our own)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert (root[0].text, root[1].text) == ("Shares & <more>", "Price 30 %")


@pytest.mark.parametrize("svg", DRAWINGS)
def test_drawing_takes_colours_of_page(svg: str) -> None:
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none", "transparent"}
    assert colours
    assert all(colour.startswith("var(--chart-") for colour in colours)


@pytest.mark.parametrize("svg", DRAWINGS)
def test_drawing_loads_nothing(svg: str) -> None:
    assert not re.search(r"https?:|url\(|<script|<image|@font-face|@import", svg)


def test_text_of_data_is_escaped() -> None:
    assert "Price &lt;b&gt;" in draw_bars(BARS, WORDS)


def test_same_data_are_drawn_once() -> None:
    assert draw_bars(BARS, WORDS) is draw_bars((*BARS,), WORDS)


def test_drawing_is_light() -> None:
    bars = tuple(Bar(f"Reason {number}", 0.1, 0.05, 0.15) for number in range(12))
    assert len(draw_bars(bars, WORDS)) < 20_000


def test_several_lines_differ_without_colour() -> None:
    points = tuple(Point(name, month, 0.3) for name in ("Price", "Budget") for month in ("2026-04", "2026-05"))
    assert "stroke-dasharray" in draw_lines(points, WORDS)
