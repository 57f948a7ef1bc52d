"""Pictures for the model card: how far confidence can be trusted, what waiting for a person buys, what is taken for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics import Judged, binary_f1, equal_mass_bins

RELIABILITY = "reliability.png"
RISK_COVERAGE = "risk_coverage.png"
CONFUSION = "confusion.png"
LABELS = "labels.png"
_INCHES = (6.4, 4.8)
_DOTS_PER_INCH = 100
_INCHES_A_LABEL = 0.34
_FEWEST_RANKED, _FEWEST_BINNED = 20, 100


def write_pictures(folder: Path, groups: Mapping[str, Sequence[Judged]]) -> None:
    """Writes four pictures of the primary reason: reliability, risk by coverage, confusion, and F1 of each label.

    Args:
        folder: Where the PNG files go.
        groups: Assessments with gold labels, by kind of deal; a curve needs 20 deals, ten bins need 100.
    """
    ranked = {name: _ranked(judged) for name, judged in groups.items() if len(judged) >= _FEWEST_RANKED}
    binned = {name: pairs for name, pairs in ranked.items() if len(pairs) >= _FEWEST_BINNED}
    _write(folder / RELIABILITY, _draw_reliability, binned)
    _write(folder / RISK_COVERAGE, _draw_risk_coverage, ranked)
    pairs = [(one.labels.primary, one.assessment.primary.code) for judged in _widest(groups) for one in judged]
    _write_by_label(folder / CONFUSION, _draw_confusion, pairs)
    _write_by_label(folder / LABELS, _draw_labels, pairs)


def _widest(groups: Mapping[str, Sequence[Judged]]) -> list[Sequence[Judged]]:
    """Gives the group that holds all others, or none."""
    return sorted(groups.values(), key=len)[-1:]


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


Pairs = Sequence[tuple[str, str]]


def _write_by_label(path: Path, draw: Callable[[Axes, Sequence[str], Pairs], None], pairs: Pairs) -> None:
    labels = sorted({label for pair in pairs for label in pair})
    side = max(_INCHES[1], _INCHES_A_LABEL * len(labels))
    figure = Figure(figsize=(side * 1.2, side), dpi=_DOTS_PER_INCH, layout="constrained")
    draw(figure.subplots(), labels, pairs)
    figure.savefig(path, metadata={"Software": None})


def _draw_confusion(axes: Axes, labels: Sequence[str], pairs: Pairs) -> None:
    counts = Counter(pairs)
    rows = [[counts[gold, found] for found in labels] for gold in labels]
    shares = [[count / max(1, sum(row)) for count in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for gold, row in enumerate(rows):
        for found, count in enumerate(row):
            if count:
                color = "white" if shares[gold][found] > 0.5 else "black"
                axes.text(found, gold, str(count), ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(title="Primary reason: what is taken for what (deals)", xlabel="read", ylabel="labelled")


def _draw_labels(axes: Axes, labels: Sequence[str], pairs: Pairs) -> None:
    scores = [binary_f1([(gold == label, found == label) for gold, found in pairs]) for label in labels]
    wanted = Counter(gold for gold, _ in pairs)
    axes.barh([f"{label} ({wanted[label]})" for label in labels], scores)
    axes.invert_yaxis()
    axes.set(title="Primary reason: F1 of each label (deals labelled so)", xlim=(0, 1), xlabel="F1")
    axes.grid(visible=True, axis="x", alpha=0.3)
