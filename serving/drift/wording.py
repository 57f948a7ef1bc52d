"""What a look found, as lines that people read: on the page and on the terminal alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lossnlp.taxonomy import Taxonomy
from serving.drift.features import FEATURE_BY_NAME
from serving.drift.findings import Finding, Value
from serving.drift.looks import Look
from serving.rendering import NOTHING, percent

_MOST_LABELS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One feature of a look, in words.

    Args:
        part: Where it belongs.
        feature: What was compared.
        newest: How it stands in the newest deals, with how many there are.
        before: How it stood before.
        found: What is found.
        is_alarm: Whether that is a clear change.
    """

    part: str
    feature: str
    newest: str
    before: str
    found: str
    is_alarm: bool


def describe(look: Look, taxonomy: Taxonomy) -> tuple[Line, ...]:
    """Gives a line for each feature, in their order.

    Args:
        look: What was found.
        taxonomy: Gives the reasons their labels.
    """
    reasons = {reason.code: reason.label for reason in taxonomy.reasons}
    return tuple(_line(finding, reasons) for finding in look.findings)


def _line(finding: Finding, reasons: Mapping[str, str]) -> Line:
    shown = _chosen(finding)
    newest = ", ".join(_said(finding, value, value.newest, reasons) for value in shown) or NOTHING
    before = ", ".join(_said(finding, value, value.reference, reasons) for value in shown) or NOTHING
    return Line(
        finding.part,
        finding.label,
        f"{newest} ({_deals(finding.newest_deals)})",
        f"{before} ({_deals(finding.reference_deals)})",
        finding.verdict,
        finding.is_alarm,
    )


def _chosen(finding: Finding) -> tuple[Value, ...]:
    """Gives the values that are shown: those that moved, else the most frequent."""
    moved = tuple(value for value in finding.values if value.has_moved)
    return (moved or finding.values)[:_MOST_LABELS]


def _said(finding: Finding, value: Value, figure: float, reasons: Mapping[str, str]) -> str:
    feature = FEATURE_BY_NAME.get(finding.feature)
    if feature is None or feature.kind == "label":
        return f"{_named(value.label, reasons)} {percent(figure)}"
    return f"median {percent(figure)}" if feature.is_share else f"median {figure:,.0f}"


def _named(label: str, reasons: Mapping[str, str]) -> str:
    return reasons.get(label) or label.replace("+", " and ").replace("_", " ")


def _deals(number: int) -> str:
    return f"{number:,} deal" if number == 1 else f"{number:,} deals"
