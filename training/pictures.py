"""Pictures for the model card: how far confidence can be trusted, and what waiting for a person buys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics import Judged, equal_mass_bins

RELIABILITY = "reliability.png"
RISK_COVERAGE = "risk_coverage.png"
_INCHES = (6.4, 4.8)
_DOTS_PER_INCH = 100
_FEWEST_RANKED, _FEWEST_BINNED = 20, 100


def write_pictures(folder: Path, groups: Mapping[str, Sequence[Judged]]) -> None:
    """Writes the reliability diagram and the risk-coverage curve of the primary reason.

    Args:
        folder: Where the two PNG files go.
        groups: Assessments with gold labels, by kind of deal; a curve needs 20 deals, ten bins need 100.
    """
    ranked = {name: _ranked(judged) for name, judged in groups.items() if len(judged) >= _FEWEST_RANKED}
    binned = {name: pairs for name, pairs in ranked.items() if len(pairs) >= _FEWEST_BINNED}
    _write(folder / RELIABILITY, _draw_reliability, binned)
    _write(folder / RISK_COVERAGE, _draw_risk_coverage, ranked)


Ranked = list[tuple[float, bool]]


def _ranked(judged: Sequence[Judged]) -> Ranked:
    """Gives confidence and rightness of the primary reasons, least certain first."""
    return sorted((one.assessment.primary.confidence, one.is_primary_right) for one in judged)


def _write(path: Path, draw: Callable[[Axes, str, Ranked], None], groups: Mapping[str, Ranked]) -> None:
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for name, ranked in groups.items():
        draw(axes, f"{name} ({len(ranked)})", ranked)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left")
    figure.savefig(path, metadata={"Software": None})


def _draw_reliability(axes: Axes, name: str, ranked: Ranked) -> None:
    bins = equal_mass_bins(ranked)
    axes.plot([fmean(c for c, _ in one) for one in bins], [fmean(r for _, r in one) for one in bins], "o-", label=name)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.set(title="Primary reason: is 80 % sure right 8 times in 10?", xlabel="mean confidence", ylabel="share right")


def _draw_risk_coverage(axes: Axes, name: str, ranked: Ranked) -> None:
    surest_first = [right for _, right in reversed(ranked)]
    counts = range(1, len(surest_first) + 1)
    wrong = [count - sum(surest_first[:count]) for count in counts]
    share = [count / len(surest_first) for count in counts]
    axes.plot(share, [errors / count for errors, count in zip(wrong, counts, strict=True)], label=name)
    axes.set(
        title="Primary reason: share wrong when only the surest are answered",
        xlabel="coverage (share answered)",
        ylabel="risk (share wrong among them)",
    )
