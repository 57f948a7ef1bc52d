"""What two readings of a deal say, value by value: codes, days and numbers alone, never words of the deal."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from lossnlp.assessment import Assessment

_NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two readings of a deal give otherwise.

    Args:
        field: `primary_reason`, `reasons`, `attribution`, a flag, `meddpicc.<element>`, `winback`, `revisit_on`, `rivals` or `review`.
        before: What the one says.
        after: What the other says.
    """

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Value:
    key: Hashable
    shown: str


def compare(one: Assessment, other: Assessment) -> tuple[Difference, ...]:
    """Gives the values that differ; those that only one taxonomy knows differ too.

    Args:
        one: What comes first in each difference.
        other: What comes second.
    """
    before, after = _values(one), _values(other)
    missing = _Value(None, _NOTHING)
    pairs = [(name, before.get(name, missing), after.get(name, missing)) for name in before | after]
    return tuple(Difference(name, was.shown, now.shown) for name, was, now in pairs if was.key != now.key)


def compared_fields(assessment: Assessment) -> tuple[str, ...]:
    """Gives the names of the values that an assessment is compared by."""
    return tuple(_values(assessment))


def _values(assessment: Assessment) -> dict[str, _Value]:
    """Gives what an assessment says, by name; of rivals the number is shown, as their names are words of the deal."""
    also = sorted(reason.code for reason in assessment.reasons if not reason.primary)
    rivals = frozenset((rival.name.casefold(), rival.role) for rival in assessment.competitors)
    day = assessment.winback.revisit_on
    return {
        "primary_reason": _said(assessment.primary.code),
        "reasons": _said(", ".join(also)),
        "attribution": _said(assessment.attribution.value),
        **{name: _said(flag.value) for name, flag in assessment.flags},
        **{f"meddpicc.{code}": _said(found.state) for code, found in assessment.meddpicc.items()},
        "winback": _said(assessment.winback.state),
        "revisit_on": _said(day and day.isoformat()),
        "rivals": _Value(rivals, f"{len(rivals)} named"),
        "review": _said("waits" if assessment.review.required else "accepted"),
    }


def _said(value: object) -> _Value:
    if isinstance(value, bool):
        return _Value(value, "yes" if value else "no")
    return _Value(value or None, str(value)[:500] if value else _NOTHING)
