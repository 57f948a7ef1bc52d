"""Charts as SVG: drawn on this machine, in colours of the page, which are light or dark, and readable without seeing them.

A drawing takes a tenth of a second of a processor, so each is kept by its data; pages come first and load charts after. Nothing is
loaded from elsewhere: the data stand in the chart, texts are set in a font of the reader's.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

_KEPT = 512  # drawings of about 15 kB
_WIDTH = 300
_FONT = "Arial, Liberation Sans, Helvetica, sans-serif"  # as wide as the one that labels are measured with
_INK, _LINES, _FILL = "var(--chart-ink)", "var(--chart-lines)", "var(--chart-fill)"
_COLOURS = [f"var(--chart-{number})" for number in range(1, 6)]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [12, 4]]
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"]
_VEGA_LITE = alt.SCHEMA_VERSION.rpartition(".")[0]
_CONFIG = {
    "aria": False,  # this and each mark: the whole is one image with a description; the table beside it has the figures
    "background": "transparent",
    "font": _FONT,
    "padding": 8,
    "view": {"stroke": None},
    "mark": {"aria": False},
    "axis": {
        "labelColor": _INK,
        "labelFontSize": 12,
        "labelLimit": 190,
        "gridColor": _LINES,
        "gridOpacity": 0.4,
        "domainColor": _LINES,
        "tickColor": _LINES,
    },
    "legend": {"labelColor": _INK, "labelFontSize": 12, "labelLimit": 190},
}
MOST_LINES = len(_COLOURS)


@dataclass(frozen=True, slots=True)
class Words:
    """What a chart says to who does not see it: a title, and what it shows."""

    title: str
    about: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with the interval of its end, all between 0 and 1."""

    label: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line; without a share the line has a hole there."""

    line: str
    period: str
    share: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a heat map; without a share it stays empty."""

    row: str
    column: str
    share: float | None


@lru_cache(_KEPT)
def draw_bars(bars: tuple[Bar, ...], words: Words) -> Markup:
    """Gives horizontal bars with their intervals, in the order given.

    Args:
        bars: At least one.
        words: What it says to who does not see it.
    """
    base = _chart(bars).encode(y=alt.Y("label:N", sort=None, title=None))
    bar = base.mark_bar(color=_FILL, opacity=0.75).encode(
        x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5))
    )
    line = base.mark_rule(color=_INK).encode(x="low:Q", x2="high:Q")
    ends = base.mark_tick(color=_INK, size=7, thickness=1)
    layers = alt.layer(bar, line, ends.encode(x="low:Q"), ends.encode(x="high:Q"))
    return _svg(layers.properties(width=_WIDTH, height=alt.Step(22)), words)


@lru_cache(_KEPT)
def draw_lines(points: tuple[Point, ...], words: Words) -> Markup:
    """Gives a line a name over periods, told apart by colour, dashes and marks; one line alone has its interval as a band.

    Args:
        points: At least one; at most `MOST_LINES` names. Periods stand in the order given.
        words: What it says to who does not see it.
    """
    names = list(dict.fromkeys(point.line for point in points))
    base = _chart(points).encode(
        x=alt.X("period:O", sort=None, title=None, axis=alt.Axis(labelAngle=-45, labelOverlap=True)),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5)),
    )
    legend = None if len(names) == 1 else alt.Legend(title=None, orient="bottom", columns=2, symbolStrokeWidth=2)
    scales = ((alt.Color, _COLOURS), (alt.StrokeDash, _DASHES), (alt.Shape, _SHAPES))
    color, dash, shape = (
        kind("line:N", sort=None, legend=legend, scale=alt.Scale(domain=names, range=values[: len(names)]))
        for kind, values in scales
    )
    line = base.mark_line().encode(color=color, strokeDash=dash)
    marks = base.mark_point(filled=True, size=40, opacity=1).encode(color=color, shape=shape)
    band = [base.mark_area(color=_FILL, opacity=0.25).encode(y="low:Q", y2="high:Q")] if len(names) == 1 else []
    return _svg(alt.layer(*band, line, marks).properties(width=_WIDTH + 60, height=200), words)


@lru_cache(_KEPT)
def draw_heat(squares: tuple[Square, ...], words: Words) -> Markup:
    """Gives a heat map, each square with its number; the order of rows and columns is that given.

    Args:
        squares: At least one.
        words: What it says to who does not see it.
    """
    base = _chart(squares).encode(
        x=alt.X("column:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=-45)),
        y=alt.Y("row:N", sort=None, title=None),
    )
    strength = alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.04, 0.75]))
    heat = base.mark_rect(fill=_FILL).encode(opacity=strength).transform_filter("datum.share !== null")
    number = base.mark_text(color=_INK).encode(text=alt.Text("share:Q", format=".0%"))
    number = number.transform_filter("datum.share !== null")
    return _svg(alt.layer(heat, number).properties(width=alt.Step(44), height=alt.Step(28)), words)


def _chart(data: tuple[Any, ...]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[asdict(one) for one in data]))


def _svg(chart: alt.LayerChart | alt.FacetChart, words: Words) -> Markup:
    """Gives the drawing as part of a page: it scales with its place and says what it shows."""
    spec = chart.to_dict() | {"config": _CONFIG}
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE, allowed_base_urls=[])
    head, rest = svg.split(">", 1)
    head = re.sub(r' (?:class|width|height|version|xmlns:xlink|xmlns)="[^"]*"', "", head)
    said = Markup("<title>{}</title><desc>{}</desc>").format(words.title, words.about)
    return Markup(f'{head} role="img">') + said + Markup(rest)  # noqa: S704 (our own drawing; its texts are escaped in it)
