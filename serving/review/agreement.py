"""How much two people agree who judged the same deal apart from each other: Cohen's kappa by field and month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, case, exists, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased

from lossnlp.taxonomy import Taxonomy
from serving.tables import ReviewRow, VerdictRow

FEW = 20
_MONTHS = 12
_CANNOT_TELL = "cannot_tell"
_FIELDS = {
    "attribution": "Whom the note holds responsible",
    "insufficient_detail": "Note says too little",
    "rep_buyer_conflict": "Note and buyer tell different reasons",
    "stated_reason_conflict": "CRM states another reason",
    "winback": "Win-back",
}
Pair = tuple[str, str]
Counts = Counter[Pair]
Path = tuple[str | int, ...]  # where a field stands in the labels of a verdict


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two people say the same of a field.

    Args:
        pairs: Deals that both have judged, 0 or more.
        share: Of them those with the same value, 0 to 1; None without any.
        kappa: Agreement beyond chance, -1 to 1; None without pairs, or where both always say one and the same value.
    """

    pairs: int
    share: float | None
    kappa: float | None

    @property
    def is_few(self) -> bool:
        """Whether there are too few pairs for the figure to hold."""
        return self.pairs < FEW


@dataclass(frozen=True, slots=True)
class FieldAgreement:
    """The agreement on one field: over all months, and by month as in `AgreementReport.months`."""

    label: str
    overall: Agreement
    by_month: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """The agreement on all fields in twelve months, named by the days they start on, oldest first."""

    months: tuple[datetime, ...]
    fields: tuple[FieldAgreement, ...]

    @property
    def pairs(self) -> int:
        """How many deals two people have judged: all of them have a primary reason."""
        return self.fields[0].overall.pairs


def measure(counts: Mapping[Pair, int]) -> Agreement:
    """Gives the agreement of two people.

    Args:
        counts: How many deals have this value by the first and that value by the second.

    Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20(1),
        1960: kappa = (p_o - p_e) / (1 - p_e).
    """
    pairs = sum(counts.values())
    if not pairs:
        return Agreement(0, None, None)
    first, second = Counter[str](), Counter[str]()
    for (one, other), count in counts.items():
        first[one] += count
        second[other] += count
    observed = sum(count for (one, other), count in counts.items() if one == other) / pairs
    by_chance = sum(first[value] * second[value] for value in first) / pairs**2
    kappa = (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None
    return Agreement(pairs, observed, kappa)


def report_agreement(session: Session, taxonomy: Taxonomy, *, at: datetime) -> AgreementReport:
    """Gives the agreement of the last twelve months, the running one among them.

    Of each person the first verdict counts that was not taken back, and of a deal the first two people: later ones know
    that those differ. A pair counts in the month of its second verdict.

    Args:
        session: An open unit of work.
        taxonomy: Names the MEDDPICC elements.
        at: The moment that the report ends at.
    """
    months = _month_starts(at)
    labels: dict[Path, str] = {("reasons", 0): "Primary reason"}
    labels.update((("meddpicc", element.code), f"MEDDPICC: {element.label}") for element in taxonomy.elements)
    labels.update(((name,), label) for name, label in _FIELDS.items())
    counts = _count_pairs(session, tuple(labels), months)
    by_field = ([counts.get((field, month), Counts()) for month in range(_MONTHS)] for field in range(len(labels)))
    return AgreementReport(months, tuple(map(_measure_field, labels.values(), by_field)))


def _month_starts(at: datetime) -> tuple[datetime, ...]:
    last = at.astimezone(UTC).year * 12 + at.astimezone(UTC).month - 1
    return tuple(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(last - _MONTHS + 1, last + 1))


def _judged_twice() -> CTE:
    """Gives the ids of the `first` and the `second` verdict on each deal that two people have judged."""
    back = aliased(VerdictRow)
    own = select(VerdictRow.assessment_id, func.min(VerdictRow.id).label("id"))
    own = own.join(ReviewRow, ReviewRow.assessment_id == VerdictRow.assessment_id)
    own = own.where(ReviewRow.wanted > 1, VerdictRow.kind != "undo", ~exists().where(back.undoes_id == VerdictRow.id))
    firsts = own.group_by(VerdictRow.assessment_id, VerdictRow.person_id).subquery("firsts")
    place = func.row_number().over(partition_by=firsts.c.assessment_id, order_by=firsts.c.id)
    placed = select(firsts, place.label("place")).subquery("placed")
    ids = [func.max(case((placed.c.place == number, placed.c.id))) for number in (1, 2)]
    pairs = select(ids[0].label("first"), ids[1].label("second")).group_by(placed.c.assessment_id)
    return pairs.having(func.count() > 1).cte("judged_twice")


def _count_pairs(session: Session, paths: Sequence[Path], months: Sequence[datetime]) -> dict[tuple[int, int], Counts]:
    """Gives by the places of field and month how many deals have which pair of values; a pair that lacks one is left out."""
    twice = _judged_twice()
    every = union_all(*(_pairs_of(twice, field, path, months=months) for field, path in enumerate(paths))).subquery(
        "pairs"
    )
    grouped = select(every, func.count()).where(every.c.first.is_not(None), every.c.second.is_not(None))
    counts: dict[tuple[int, int], Counts] = {}
    for field, month, first, second, count in session.execute(grouped.group_by(*every.c)):
        counts.setdefault((field, month), Counts())[first, second] = count
    return counts


def _pairs_of(twice: CTE, field: int, path: Path, *, months: Sequence[datetime]) -> Select[Any]:
    """Gives for each deal the places of field and month, and what the two people say of the field."""
    one, other = aliased(VerdictRow), aliased(VerdictRow)
    month = case(*((other.created_at >= months[place], place) for place in reversed(range(len(months)))))
    said = _value(one, path).label("first"), _value(other, path).label("second")
    pairs = select(literal(field).label("field"), month.label("month"), *said).select_from(twice)
    pairs = pairs.join(one, one.id == twice.c.first).join(other, other.id == twice.c.second)
    return pairs.where(other.created_at >= months[0])


def _value(verdict: type[VerdictRow], path: Path) -> ColumnElement[str]:
    """Gives what a verdict says of a field; that nobody can tell is a value of the primary reason and none of the others."""
    said = verdict.labels[path].as_string()
    if path[0] == "meddpicc":
        said = func.coalesce(said, "not_mentioned")
    cannot_tell = _CANNOT_TELL if path[0] == "reasons" else None
    return case((verdict.kind == "cannot_tell", cannot_tell), else_=said)


def _measure_field(label: str, counts: Sequence[Counts]) -> FieldAgreement:
    return FieldAgreement(label, measure(sum(counts, Counts())), tuple(measure(month) for month in counts))
