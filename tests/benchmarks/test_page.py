"""The page of results, from the files that benchmarks write."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.page import END, FIGURES, build_markdown, build_page, put_into
from benchmarks.results import Figure, Plot, Record, Result, read_results

FASTER = Figure("times <peer>", 6.25, target=5.0)
SLOWER = Figure("exponent", 1.2, target=1.05, is_ceiling=True)
PLOTS = [
    Plot("Speed", ("", "notes a second"), {"ours": [(0, 60.0)], "theirs": [(0, 10.0)]}),
    Plot("Growth", ("notes", "s"), {"ours": [(100, 2.0), (1000, 20.0)]}, "log"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder: Path = tmp_path_factory.mktemp("bench")
    rows = [{"peer": "ours", "notes a second": 60.0}]
    Record(folder).write(
        Result("speed", "Speed", figures=[FASTER, SLOWER], rows=rows, plots=PLOTS, notes=["So it ran."])
    )
    return read_results(folder)


def test_written_result_is_read_back(results: list[Result]) -> None:
    assert (results[0].figures, results[0].plots[0].axes) == ([FASTER, SLOWER], ("", "notes a second"))
    assert results[0].machine["cores_allowed"] >= 1


def test_page_shows_target_beside_measured(results: list[Result]) -> None:
    page = build_page(results)
    assert "<td>times &lt;peer&gt;<td>6.25<td>at least 5<td>yes" in page
    assert "<td>exponent<td>1.2<td>at most 1.05<td>no" in page


def test_page_holds_pictures_and_loads_nothing(results: list[Result]) -> None:
    page = build_page(results)
    assert page.count("<svg") == len(PLOTS)
    assert "<script" not in page
    assert "<img" not in page


def test_table_for_documentation_names_the_machine(results: list[Result]) -> None:
    table = build_markdown(results)
    assert "| exponent | 1.2 | at most 1.05 | no |" in table
    assert "cores" in table
    assert results[0].machine["bundle"] in table


def test_table_takes_the_place_of_the_old_one() -> None:
    page = f"Before.\n{FIGURES}\n\nold\n\n{END}\nAfter.\n"
    assert put_into(put_into(page, "new\n"), "newer\n") == f"Before.\n{FIGURES}\n\nnewer\n\n{END}\nAfter.\n"


def test_page_of_the_documentation_has_a_place_for_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "speed.md").read_text(encoding="utf-8")
    assert page.index(FIGURES) < page.index(END)
