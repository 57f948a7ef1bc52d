"""The decision on a challenger: the gate's ruling, or a person's word over it, as a table, as tags and as a part of the model card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lossnlp.bundle import refresh_manifest
from training.gate import Row, Ruling
from training.golden import JudgedOn

Outcome = Literal["promoted", "refused", "forced"]
HEADING = "## Gate"
_CARD = "MODEL_CARD.md"
_RECALLS_SHOWN = 3


@dataclass(frozen=True)
class Decision:
    """What was decided of a challenger, and on what.

    Args:
        outcome: Promoted by the gate, refused by it, or promoted over it.
        champion: Version of the bundle in service before.
        challenger: Version of the bundle that was judged.
        decided_at: UTC time, ISO 8601.
        ruling: The gate's ruling; None where the two cannot be compared.
        obstacle: Why they cannot be compared, else empty.
        because: Reason of a person who promoted it all the same, else empty.
        golden: The golden deals.
        verdicts: The newest verdicts.
    """

    outcome: Outcome
    champion: str
    challenger: str
    decided_at: str
    ruling: Ruling | None = None
    obstacle: str = ""
    because: str = ""
    golden: JudgedOn | None = None
    verdicts: JudgedOn | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why it was decided so."""
        return tuple(_sentences(self))


def decision_text(decision: Decision) -> str:
    """Gives a decision as Markdown: what, why, and the table of figures."""
    lines = [f"{decision.challenger} against {decision.champion}, {decision.decided_at}: **{decision.outcome}**.", ""]
    lines += [f"- {sentence}" for sentence in decision.sentences]
    if decision.ruling is not None:
        lines += ["", *_table(decision.ruling)]
    return "\n".join(lines) + "\n"


def decision_tags(decision: Decision) -> dict[str, str]:
    """Gives what the registry keeps at hand of a decision."""
    ruling = decision.ruling
    return {
        "gate.outcome": decision.outcome,
        "gate.champion": decision.champion,
        "gate.decided_at": decision.decided_at,
        "gate.because": decision.because,
        "gate.obstacle": decision.obstacle,
        "gate.better_in": ", ".join(ruling.better) if ruling else "",
        "gate.broken": ", ".join(ruling.broken) if ruling else "",
        "gate.golden": decision.golden.digest if decision.golden else "",
        "gate.verdicts": decision.verdicts.digest if decision.verdicts else "",
    }


def decision_figures(decision: Decision) -> dict[str, Any]:
    """Gives a decision with all its figures, for a JSON file."""
    rows = decision.ruling.rows if decision.ruling else ()
    return decision_tags(decision) | {"figures": [_figures(row) for row in rows]}


def write_to_card(folder: Path, decision: Decision) -> None:
    """Writes a decision into the model card of a bundle, in place of an older one, and signs the bundle again.

    Args:
        folder: The challenger.
        decision: What was decided of it.
    """
    card = folder / _CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# Model card: {decision.challenger}\n"
    kept = text.split(f"\n{HEADING}\n", maxsplit=1)[0].rstrip("\n")
    card.write_text(f"{kept}\n\n{HEADING}\n\n{decision_text(decision)}", encoding="utf-8")
    refresh_manifest(folder)


def _sentences(decision: Decision) -> Iterator[str]:
    if decision.because:
        yield f"Promoted by a person's word: {decision.because}"
    if decision.obstacle:
        yield f"Not compared: {decision.obstacle}"
    if decision.ruling is not None:
        yield from _reasons(decision.ruling)
    if decision.golden is not None:
        yield _deals("golden deals", decision.golden)
    if decision.verdicts is not None and (decision.verdicts.deals or decision.verdicts.learned):
        yield _deals("newest verdicts", decision.verdicts)


def _reasons(ruling: Ruling) -> Iterator[str]:
    for row in ruling.rows:
        if not row.holds:
            yield _broken(row)
    if ruling.better:
        yield f"Better beyond luck in {', '.join(ruling.better)}."
    else:
        yield "Better beyond luck in nothing, so there is no ground for a change."
    if ruling.untold:
        yield f"No deal tells of {', '.join(ruling.untold)}."


def _broken(row: Row) -> str:
    low, high = row.difference.low, row.difference.high
    if row.has_few:
        return f"{row.name} is worse: by {-high:.3f} at least, on {row.difference.deals} deals."
    return f"{row.name} may be worse by {-low:.3f}, more than the margin of {row.guard.margin:.2f}."


def _deals(name: str, judged_on: JudgedOn) -> str:
    left_out = [
        f"{count} left out because {why}"
        for count, why in (
            (judged_on.learned, "a bundle learned from them"),
            (judged_on.uneven, "one bundle alone was calibrated on them"),
        )
        if count
    ]
    return "; ".join([f"{len(judged_on.deals)} {name} (digest {judged_on.digest})", *left_out]) + "."


def _table(ruling: Ruling) -> list[str]:
    head = ["figure", "champion", "challenger", "better by", "90 % interval", "margin", "deals", "holds"]
    return [_line(head), _line(["---"] * len(head)), *(_line(_cells(row)) for row in _shown(ruling.rows))]


def _shown(rows: Sequence[Row]) -> Iterator[Row]:
    """Gives the guarded figures, then of the labels' recalls those that do not hold and those that fell most."""
    recalls = [row for row in rows if row.name.startswith("recall.")]
    most = sorted(recalls, key=lambda row: row.difference.better_by)[:_RECALLS_SHOWN]
    yield from (row for row in rows if row not in recalls)
    yield from (row for row in recalls if not row.holds or row in most)


def _cells(row: Row) -> list[str]:
    found = row.difference
    holds = "no" if not row.holds else "better" if row.is_better else "yes (few)" if row.has_few else "yes"
    return [
        row.name,
        f"{found.champion:.3f}",
        f"{found.challenger:.3f}",
        f"{found.better_by:+.3f}",
        f"{found.low:+.3f} to {found.high:+.3f}",
        f"{row.guard.margin:.2f}",
        str(found.deals),
        holds,
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figures(row: Row) -> dict[str, Any]:
    found = row.difference
    return {
        "name": row.name,
        "champion": found.champion,
        "challenger": found.challenger,
        "better_by": found.better_by,
        "low": found.low,
        "high": found.high,
        "deals": found.deals,
        "margin": row.guard.margin,
        "holds": row.holds,
        "is_better": row.is_better,
    }
