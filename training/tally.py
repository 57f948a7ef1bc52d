"""Tallies: figures of an evaluation as sums over deals, so that they can be taken again over any draw of the same deals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lossnlp.heads import WINBACKS
from training.metrics import ECE_BINS, Judged, rival_names, states

Floats = NDArray[np.float64]
Join = Literal["mean", "error", "rate"]


@dataclass(frozen=True)
class Tally:
    """One figure of one bundle, deal by deal.

    Args:
        top: What is counted, shape (deals, parts).
        bottom: What it is counted among, shape (deals, parts).
        join: How parts become one figure: "mean" of their ratios, "error" (sum of absolute tops by the sum of bottoms), or "rate" (of a
            mean logarithm of seconds, one a second).
    """

    top: Floats
    bottom: Floats
    join: Join = "mean"

    def joined(self, tops: Floats, bottoms: Floats) -> Floats:
        """Gives the figure of each draw, shape (draws,); not a number where a draw holds nothing to count among.

        Args:
            tops: Sums of what is counted, shape (draws, parts).
            bottoms: Sums of what it is counted among, shape (draws, parts).
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.join == "error":
                return np.asarray(np.abs(tops).sum(axis=1) / bottoms.sum(axis=1))
            ratios = tops / bottoms
            if self.join == "rate":
                return np.asarray(np.exp(-ratios[:, 0]))
            told = ~np.isnan(ratios)
            return np.asarray(np.where(told, ratios, 0).sum(axis=1) / told.sum(axis=1))

    @property
    def figure(self) -> float:
        """The figure over all deals."""
        return float(self.joined(self.top.sum(axis=0, keepdims=True), self.bottom.sum(axis=0, keepdims=True))[0])

    @property
    def is_told(self) -> bool:
        """Says whether there is anything to count among."""
        return bool(self.bottom.any())

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The deals that the figure rests on, shape (deals,)."""
        return np.asarray(self.bottom.any(axis=1))


def drawn_figures(named: Mapping[str, Tally], weights: Floats) -> dict[str, Floats]:
    """Gives every figure of each draw, shape (draws,).

    Args:
        named: The tallies.
        weights: How often each draw holds each deal, shape (draws, deals).
    """
    columns = np.hstack([part for tally in named.values() for part in (tally.top, tally.bottom)])
    widths = [part.shape[1] for tally in named.values() for part in (tally.top, tally.bottom)]
    sums = iter(np.split(weights @ columns, np.cumsum(widths)[:-1], axis=1))
    return {name: tally.joined(next(sums), next(sums)) for name, tally in named.items()}


def tallies(judged: Sequence[Judged]) -> dict[str, Tally]:
    """Gives the figures that a gate looks at, by the names that `training.metrics.evaluate` gives them.

    Args:
        judged: Assessments with their gold labels, at least one.
    """
    accepted = [("primary_reason" in one.assessment.accepted) for one in judged]
    right = [one.is_primary_right for one in judged]
    return {
        "primary.accuracy": _share(right),
        "primary.macro_f1": _macro_f1([(one.labels.primary, one.assessment.primary.code) for one in judged]),
        "reasons.micro_f1": _micro_f1([_reasons(one) for one in judged]),
        "meddpicc.gap_micro_f1": _micro_f1([_gaps(one) for one in judged]),
        "external_only.f1": _micro_f1([_external(one) for one in judged]),
        "insufficient_detail.f1": _micro_f1([_thin(one) for one in judged]),
        "winback.macro_f1": _macro_f1([(one.labels.winback, one.assessment.winback.state) for one in judged]),
        "competitors.micro_f1": _micro_f1([rival_names(one) for one in judged]),
        "primary.ece": _calibration_error([one.assessment.primary.confidence for one in judged], right),
        "primary.accepted_share": _share(accepted),
        "primary.accepted_precision": _share(right, among=accepted),
    }


def recalls(judged: Sequence[Judged], *, reasons: Sequence[str], elements: Sequence[str]) -> dict[str, Tally]:
    """Gives the recall of every label: reasons as primary and as one of several, gaps, win-back states.

    Args:
        judged: Assessments with their gold labels.
        reasons: Codes of the reasons.
        elements: Codes of the MEDDPICC elements.
    """
    heads = (
        ("primary", reasons, _primary),
        ("reasons", reasons, _reasons),
        ("gap", elements, _gaps),
        ("winback", WINBACKS, _winback),
    )
    return {
        f"recall.{head}.{label}": tally
        for head, labels, sets in heads
        for label, tally in zip(labels, _recalls([sets(one) for one in judged], labels), strict=True)
    }


def pass_rate(held: Sequence[bool]) -> Tally:
    """Gives the share of checks that held."""
    return _share(held)


def speed(seconds: Sequence[float]) -> Tally:
    """Gives deals a second: one by the geometric mean of the times, which a few slow moments of the machine hardly move.

    Args:
        seconds: Time for each deal, above 0.
    """
    logs = np.log(np.asarray(seconds, dtype=float)).reshape(-1, 1)
    return Tally(logs, np.ones_like(logs), "rate")


def _share(values: Sequence[bool], *, among: Sequence[bool] | None = None) -> Tally:
    bottom = np.ones(len(values)) if among is None else np.asarray(among, dtype=float)
    top = np.asarray(values, dtype=float) * bottom
    return Tally(top.reshape(-1, 1), bottom.reshape(-1, 1))


def _micro_f1(pairs: Iterable[tuple[set[str], set[str]]]) -> Tally:
    rows = np.array([(2 * len(gold & found), len(gold) + len(found)) for gold, found in pairs], dtype=float)
    return Tally(rows[:, :1], rows[:, 1:])


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> Tally:
    classes = sorted({gold for gold, _ in pairs})
    gold = np.array([[said == name for name in classes] for said, _ in pairs], dtype=float)
    found = np.array([[said == name for name in classes] for _, said in pairs], dtype=float)
    return Tally(2 * gold * found, gold + found)


def _calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> Tally:
    """Gives the expected calibration error; the ten bins of equal mass stay as all deals make them."""
    order = np.array(sorted(range(len(right)), key=lambda place: (confidences[place], right[place])), dtype=int)
    edges = [place * len(right) // ECE_BINS for place in range(ECE_BINS + 1)]
    gaps = np.asarray(confidences, dtype=float) - np.asarray(right, dtype=float)
    top = np.zeros((len(right), ECE_BINS))
    for part in range(ECE_BINS):
        inside = order[edges[part] : edges[part + 1]]
        top[inside, part] = gaps[inside]
    return Tally(top, np.ones((len(right), 1)), "error")


def _recalls(pairs: Sequence[tuple[set[str], set[str]]], labels: Sequence[str]) -> Iterator[Tally]:
    for label in labels:
        gold = np.array([[label in said] for said, _ in pairs], dtype=float)
        yield Tally(gold * np.array([[label in said] for _, said in pairs]), gold)


def _primary(one: Judged) -> tuple[set[str], set[str]]:
    return {one.labels.primary}, {one.assessment.primary.code}


def _reasons(one: Judged) -> tuple[set[str], set[str]]:
    return set(one.labels.reasons), {reason.code for reason in one.assessment.reasons}


def _gaps(one: Judged) -> tuple[set[str], set[str]]:
    return states(one, "gap")


def _winback(one: Judged) -> tuple[set[str], set[str]]:
    return {one.labels.winback}, {one.assessment.winback.state}


def _external(one: Judged) -> tuple[set[str], set[str]]:
    if one.labels.attribution == "na":
        return set(), set()
    return _yes(one.labels.attribution == "external_only"), _yes(bool(one.assessment.flags.external_only.value))


def _thin(one: Judged) -> tuple[set[str], set[str]]:
    if one.labels.attribution == "na" or one.labels.insufficient_detail is None:
        return set(), set()
    return _yes(one.labels.insufficient_detail), _yes(bool(one.assessment.flags.insufficient_detail.value))


def _yes(value: bool) -> set[str]:  # noqa: FBT001 - the value is all there is
    return {"yes"} if value else set()
