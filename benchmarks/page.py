"""One page of all results in `build/bench`: targets, figures, tables, plots, and the machine. `python -m benchmarks.page`."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from benchmarks.results import FOLDER, Plot, Result, read_results, say
from benchmarks.turns import short

PAGE = "index.html"
FIGURES, END = "<!-- figures: python -m benchmarks.page --into docs/speed.md -->", "<!-- end of figures -->"
_INCHES, _INCHES_A_BAR = (7.0, 4.0), 0.35
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}
svg{max-width:100%;height:auto}small{color:#555}"""
_METHOD = (
    "What is compared was measured in one run: contenders take turns, every other round backwards. Figures are medians of the rounds, "
    "with the lowest and the highest beside them."
)


def build_page(results: Sequence[Result]) -> str:
    """Gives the page of results, in HTML that loads nothing from anywhere."""
    parts = [part for result in results for part in _part(result)]
    title = "<!doctype html><html lang=en><meta charset=utf-8><title>lossnlp: speed</title>"
    body = f"<style>{_STYLE}</style><h1>How fast lossnlp is</h1><p>{_METHOD}</p>"
    return f"{title}{body}{''.join(parts)}</html>\n"


def build_markdown(results: Sequence[Result]) -> str:
    """Gives the targets and figures of results as a Markdown table, with the machine below."""
    head = ["| figure | measured | target | met |", "| --- | --- | --- | --- |"]
    rows = ["| " + " | ".join(row) + " |" for result in results for row in _targets(result)]
    return "\n".join([*head, *rows, "", *dict.fromkeys(_machine(result) for result in results), ""])


def put_into(page: str, table: str) -> str:
    """Gives a Markdown page with the table between its comments, in place of what stood there.

    Args:
        page: Has a line FIGURES and a later line END.
        table: What to put there.
    """
    before, _, rest = page.partition(FIGURES)
    return f"{before}{FIGURES}\n\n{table}\n{END}{rest.partition(END)[2]}"


def _part(result: Result) -> Iterator[str]:
    yield f"<h2>{escape(result.title)}</h2>"
    if targets := list(_targets(result)):
        yield _table(["figure", "measured", "target", "met"], targets)
    for plot in result.plots:
        yield draw(plot)
    if result.rows:
        columns = list(dict.fromkeys(name for row in result.rows for name in row))
        yield _table(columns, [[_cell(row.get(name, "")) for name in columns] for row in result.rows])
    yield "".join(f"<p>{escape(note)}</p>" for note in result.notes)
    yield f"<p><small>{escape(_machine(result))}</small></p>"


def _targets(result: Result) -> Iterator[list[str]]:
    for figure in result.figures:
        aim = "" if figure.target is None else f"{'at most' if figure.is_ceiling else 'at least'} {figure.target:g}"
        met = {True: "yes", False: "no", None: ""}[figure.is_met]
        yield [figure.name, f"{_cell(figure.measured)} {figure.unit}".strip(), aim, met]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"


def _cell(value: object) -> str:
    return f"{short(value):,.6g}" if isinstance(value, float) else str(value)


def _machine(result: Result) -> str:
    told = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in told["packages"].items())
    return (
        f"{result.name}, {told['measured_at'][:10]}: {told['processor']} ({', '.join(told['flags'])}), "
        f"{told['cores_allowed']} of {told['cores_of_the_machine']} cores, {told['memory_gb']:g} GB; "
        f"load {told['load_before']:g} before and {told['load_after']:g} after; "
        f"Python {told['python']}, {packages}; bundle {told['bundle']}."
    )


def draw(plot: Plot) -> str:
    """Gives a picture as SVG to stand in a page.

    Args:
        plot: What to draw.
    """
    height = max(_INCHES[1] / 2, _INCHES_A_BAR * len(plot.series) + 1) if plot.kind == "bars" else _INCHES[1]
    drawing = Drawing(figsize=(_INCHES[0], height), layout="constrained")
    axes = drawing.subplots()
    if plot.kind == "bars":
        bars = axes.barh(list(plot.series), [points[0][1] for points in plot.series.values()])
        axes.bar_label(bars, fmt="%.4g", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set(title=plot.title, xlabel=plot.axes[1])
    else:
        for name, points in plot.series.items():
            axes.plot([x for x, _ in points], [y for _, y in points], "o-" if plot.kind == "log" else "-", label=name)
        scale = "log" if plot.kind == "log" else "linear"
        axes.set(title=plot.title, xlabel=plot.axes[0], ylabel=plot.axes[1], xscale=scale, yscale=scale)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    file = io.StringIO()
    drawing.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"^.*?(?=<svg)", "", file.getvalue(), flags=re.DOTALL)


def main() -> None:
    """Builds the page, or prints the table for the documentation."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.page", description=main.__doc__)
    ask.add_argument("--folder", type=Path, default=FOLDER, help="where results are (default: %(default)s)")
    ask.add_argument("--markdown", action="store_true", help="print a Markdown table instead")
    ask.add_argument("--into", type=Path, help="put the table into a Markdown page, between its two comments")
    asked = ask.parse_args()
    results = read_results(asked.folder)
    if not results:
        ask.error(f"{asked.folder} holds no results; run make bench")
    if asked.into:
        asked.into.write_text(
            put_into(asked.into.read_text(encoding="utf-8"), build_markdown(results)), encoding="utf-8"
        )
    if asked.markdown or asked.into:
        sys.stdout.write(build_markdown(results))
        return
    page = asked.folder / PAGE
    page.write_text(build_page(results), encoding="utf-8")
    for result in results:
        for figure in result.figures:
            sys.stdout.write(f"{say(figure)}\n")
    sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main()
