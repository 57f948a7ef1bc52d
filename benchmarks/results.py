"""Results of a benchmark as one JSON file: figures with their targets, tables, plots, and the machine they were measured on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from benchmarks.machine import machine_facts
from benchmarks.turns import short

FOLDER = Path("build/bench")
Point = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        name: What it says.
        measured: Its value.
        unit: Of the value, empty for a ratio or share.
        target: What it should reach; None where nothing is asked of it.
        is_ceiling: Says whether the target is the most, and not the least, it may be.
    """

    name: str
    measured: float
    unit: str = ""
    target: float | None = None
    is_ceiling: bool = False

    @property
    def is_met(self) -> bool | None:
        """Says whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.measured <= self.target if self.is_ceiling else self.measured >= self.target


@dataclass(frozen=True)
class Plot:
    """One picture.

    Args:
        title: Above it.
        axes: What runs along x and along y.
        series: Points of each line by its name; of bars one value a name, as the y of a single point.
        kind: Lines on logarithmic axes, lines on plain ones, or bars.
    """

    title: str
    axes: tuple[str, str]
    series: Mapping[str, Sequence[Point]]
    kind: Literal["log", "lines", "bars"] = "bars"


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Args:
        name: Of the benchmark, and of its file.
        title: Heading on the page.
        figures: Its figures.
        rows: Table of what was measured, each row with the same columns.
        plots: Its pictures.
        notes: What a reader has to know: what ran beside what, what was left out and why.
        options: What it was told to measure.
        found: All else worth keeping.
        machine: Where it ran; filled in as it is written.
    """

    name: str
    title: str
    figures: Sequence[Figure] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)


class Record:
    """Writes a result; made before the measuring, so that the machine's facts are those from before.

    Args:
        folder: Where results go.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._machine = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), **machine_facts()}

    def write(self, result: Result) -> Path:
        """Writes a result as `NAME.json`, says so and gives the file."""
        machine = {**self._machine, "load_after": round(os.getloadavg()[0], 2)}
        path = self._folder / f"{result.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**asdict(result), "machine": machine}, indent=1) + "\n", encoding="utf-8")
        for figure in result.figures:
            sys.stdout.write(f"{say(figure)}\n")
        sys.stdout.write(f"{path}; python -m benchmarks.page shows it\n")
        return path


def say(figure: Figure) -> str:
    """Gives a figure in one line."""
    aim = (
        ""
        if figure.target is None
        else f" (target: {'at most' if figure.is_ceiling else 'at least'} {figure.target:g})"
    )
    return f"{figure.name}: {short(figure.measured):g}{' ' if figure.unit else ''}{figure.unit}{aim}"


def read_results(folder: Path = FOLDER) -> list[Result]:
    """Gives the results in a folder, by name."""
    return [_read(json.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


def _read(kept: dict[str, Any]) -> Result:
    figures = [Figure(**one) for one in kept.pop("figures")]
    plots = [Plot(**{**one, "axes": tuple(one["axes"])}) for one in kept.pop("plots")]
    return Result(figures=figures, plots=plots, **kept)
