"""The gate: whether a challenger may take the champion's place, figure by figure, with what is sure and what is luck told apart.

Source: docs/decisions/0017-a-gate-of-margins.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossnlp.errors import LossNlpError
from training.behaviour import Outcome
from training.metrics import Judged
from training.paired import Difference, clearly_better, compare, draw_weights
from training.tally import Tally, pass_rate, recalls, speed, tallies

FEWEST_DEALS = 100
_FEWEST_TO_BE_BETTER = 20
_VERDICTS = ("primary.accuracy", "reasons.micro_f1")


class GateError(LossNlpError):
    """Says why two bundles cannot be compared."""

    code = "not_comparable"


@dataclass(frozen=True)
class Guard:
    """What a figure is held to.

    Args:
        margin: How much worse the challenger may be at most, beyond doubt (one-sided, 95 %); of a speed a share of the champion's.
        enough: Number of deals from which that is asked. Under it the challenger is refused where it looks worse by more than the
            margin and is worse beyond doubt.
        least: What it has to be better by, beyond luck, to count as better.
        decides: Whether being better here can earn the place. Not where one figure is bought with another: a lower threshold accepts
            more at less precision.
    """

    margin: float
    enough: int = 100
    least: float = 0.0
    decides: bool = True


GUARDS: Mapping[str, Guard] = {
    "primary.accuracy": Guard(0.03),
    "primary.macro_f1": Guard(0.03),
    "reasons.micro_f1": Guard(0.03),
    "meddpicc.gap_micro_f1": Guard(0.03),
    "external_only.f1": Guard(0.03),
    "insufficient_detail.f1": Guard(0.08, enough=50),
    "winback.macro_f1": Guard(0.04),
    "competitors.micro_f1": Guard(0.04),
    "primary.ece": Guard(0.03, least=0.005),
    "primary.accepted_share": Guard(0.06, decides=False),
    "primary.accepted_precision": Guard(0.04, decides=False),
    "behaviour.pass_rate": Guard(0.03),
    "speed.deals_a_second": Guard(0.25, least=0.10),
    "verdicts.primary.accuracy": Guard(0.05, enough=200),
    "verdicts.reasons.micro_f1": Guard(0.05, enough=200),
}
RECALL = Guard(0.25, enough=30, decides=False)


@dataclass(frozen=True)
class Shown:
    """What a bundle showed of itself.

    Args:
        version: Version of the bundle.
        golden: Its assessments of the golden deals.
        seconds: What it took for each of them.
        behaviour: How the checks of behaviour went; empty where its labels are others than theirs.
        verdicts: Its assessments of deals that people judged at work, newest first.
    """

    version: str
    golden: Sequence[Judged]
    seconds: Sequence[float]
    behaviour: Sequence[Outcome] = ()
    verdicts: Sequence[Judged] = ()


@dataclass(frozen=True)
class Row:
    """One figure of a ruling.

    Args:
        name: The figure.
        guard: What it is held to.
        difference: How the two stand.
        holds: Whether the guard holds.
        is_better: Whether the challenger is better beyond luck.
    """

    name: str
    guard: Guard
    difference: Difference
    holds: bool
    is_better: bool

    @property
    def has_few(self) -> bool:
        """Says whether the figure rests on too few deals to show that nothing is lost."""
        return self.difference.deals < self.guard.enough


@dataclass(frozen=True)
class Ruling:
    """What the gate says.

    Args:
        champion: Version of the bundle in service.
        challenger: Version of the bundle that would take its place.
        rows: The figures, then the labels' recalls.
        untold: Figures and labels that no deal tells of.
    """

    champion: str
    challenger: str
    rows: tuple[Row, ...]
    untold: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """Figures whose guard does not hold."""
        return tuple(row.name for row in self.rows if not row.holds)

    @property
    def better(self) -> tuple[str, ...]:
        """Figures in which the challenger is better beyond luck."""
        return tuple(row.name for row in self.rows if row.is_better)

    @property
    def promotes(self) -> bool:
        """Says whether the challenger may take the place: nothing broken, something better."""
        return not self.broken and bool(self.better)


def rule(champion: Shown, challenger: Shown, *, seed: int = 7) -> Ruling:
    """Gives the ruling on two bundles that were shown the same deals.

    Args:
        champion: What the bundle in service showed.
        challenger: What the other showed.
        seed: Seeds the draws.

    Raises:
        GateError: Too few golden deals.
    """
    if len(champion.golden) < FEWEST_DEALS:
        raise GateError(
            f"{len(champion.golden)} golden deals are new to both bundles, and the gate needs {FEWEST_DEALS}; give more "
            "labelled deals with --golden.",
            field="golden",
        )
    found, untold = _compared(champion, challenger, seed)
    able = {name: one for name, one in found.items() if _can_decide(name, one)}
    better = clearly_better(able, {name: _guard(name).least for name in able})
    rows = tuple(_row(name, one, is_better=name in better) for name, one in found.items())
    return Ruling(champion.version, challenger.version, rows, untold)


def _compared(champion: Shown, challenger: Shown, seed: int) -> tuple[dict[str, Difference], tuple[str, ...]]:
    """Gives every figure that can be told with its difference, and the names of the others."""
    found: dict[str, Difference] = {}
    untold: list[str] = []
    for place, (before, after, groups) in enumerate(_parts(champion, challenger)):
        differences = compare(before, after, draw_weights(groups, seed=seed + place))
        found |= differences
        untold += [name for name in before if name not in differences]
    return {name: found[name] for name in sorted(found, key=_order)}, tuple(untold)


Named = dict[str, Tally]


def _parts(champion: Shown, challenger: Shown) -> Iterator[tuple[Named, Named, list[str]]]:
    """Gives the tallies of both by what is drawn: golden deals, verdicts, checks of behaviour."""
    yield _golden_tallies(champion), _golden_tallies(challenger), [one.gold.group for one in champion.golden]
    if champion.verdicts:
        groups = [one.gold.group for one in champion.verdicts]
        yield _verdict_tallies(champion), _verdict_tallies(challenger), groups
    before, after = paired_checks(champion.behaviour, challenger.behaviour)
    if before:
        name, checks = "behaviour.pass_rate", [str(place) for place in range(len(before))]
        yield {name: pass_rate(before)}, {name: pass_rate(after)}, checks


def _order(name: str) -> int:
    """Gives the place of a figure: as the guards stand, recalls last."""
    return list(GUARDS).index(name) if name in GUARDS else len(GUARDS)


def _golden_tallies(shown: Shown) -> dict[str, Tally]:
    labels = [one.labels for one in shown.golden]
    reasons = sorted({code for one in labels for code in one.reasons})
    elements = sorted({code for one in labels for code in one.meddpicc})
    return {
        **tallies(shown.golden),
        "speed.deals_a_second": speed(shown.seconds),
        **recalls(shown.golden, reasons=reasons, elements=elements),
    }


def _verdict_tallies(shown: Shown) -> dict[str, Tally]:
    found = tallies(shown.verdicts)
    return {f"verdicts.{name}": found[name] for name in _VERDICTS}


def paired_checks(champion: Sequence[Outcome], challenger: Sequence[Outcome]) -> tuple[list[bool], list[bool]]:
    """Gives for each check of behaviour whether it held, of both bundles in the same order; empty where one was not checked."""
    if not champion or not challenger:
        return [], []
    before: list[bool] = []
    after: list[bool] = []
    for one, other in zip(champion, challenger, strict=True):
        failed = sorted({*one.failures, *other.failures})
        rest = one.total - len(failed)
        before += [*(note not in one.failures for note in failed), *[True] * rest]
        after += [*(note not in other.failures for note in failed), *[True] * rest]
    return before, after


def _guard(name: str) -> Guard:
    return RECALL if name.startswith("recall.") else GUARDS[name]


def _can_decide(name: str, difference: Difference) -> bool:
    return _guard(name).decides and difference.deals >= _FEWEST_TO_BE_BETTER


def _row(name: str, difference: Difference, *, is_better: bool) -> Row:
    guard = _guard(name)
    if difference.deals >= guard.enough:
        holds = difference.low > -guard.margin
    else:
        holds = not (difference.better_by < -guard.margin and difference.high < 0)
    return Row(name, guard, difference, holds, is_better)
