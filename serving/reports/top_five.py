"""The short list that is proposed for a CRM's drop-down: at most five entries, each a reason or a few, and all else under 'Other'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from sqlalchemy import BigInteger, case, func, literal, select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import Taxonomy
from serving.reports.intervals import Tally
from serving.reports.merge_rules import Codes, MergeRules
from serving.reports.report import Report
from serving.reports.scope import Scope
from serving.reports.shares import period_of_loss
from serving.reports.top_five_search import Counts, find_list
from serving.reports.top_five_wishes import Wishes
from serving.tables import LossReasonRow, LossRow

OTHER = "Other"
_NOTHING = Tally()

Combination = tuple[str, frozenset[str]]  # the primary reason of a deal, and all that apply


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list.

    Args:
        label: As the drop-down shows it.
        definition: When to take it.
        codes: The reasons that it stands for, in the taxonomy's order.
        parts: Tally by primary reason, also of those without a deal; under 'Other' also reasons of an older taxonomy.
        again: In how many redraws of the deals the search finds the same entry; None for 'Other' and
            for what a person asked for.
        several: Deals that more than one of its reasons applies to.
        overlap: Deals that one of its reasons and one of another entry's apply to; 'Other' is none of these entries.
        is_locked: Whether a person asked for it.
    """

    label: str
    definition: str
    codes: Codes
    parts: Mapping[str, Tally]
    again: int | None
    several: int
    overlap: int
    is_locked: bool = False

    @property
    def tally(self) -> Tally:
        """All of its deals."""
        return sum(self.parts.values(), _NOTHING)

    @property
    def is_merged(self) -> bool:
        """Says whether it stands for more than one reason that has deals, so that something is lost."""
        return sum(1 for tally in self.parts.values() if tally.deals) > 1


@dataclass(frozen=True)
class TopFive:
    """The list.

    Args:
        entries: At most five, those of most deals first.
        other: What stands for every other reason.
        pairs: Deals whose reasons fall into two entries, by their labels.
        overlapping: Deals whose reasons fall into two entries or more.
    """

    entries: tuple[Entry, ...]
    other: Entry
    pairs: Mapping[tuple[str, str], int]
    overlapping: int

    @cached_property
    def all(self) -> tuple[Entry, ...]:
        """The entries, and 'Other' behind them."""
        return (*self.entries, self.other)

    @cached_property
    def covered(self) -> Tally:
        """All deals whose primary reason has an entry."""
        return sum((entry.tally for entry in self.entries), _NOTHING)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The label of the entry of each reason."""
        return {code: entry.label for entry in self.all for code in entry.codes}

    @cached_property
    def merged(self) -> tuple[Entry, ...]:
        """The entries that something is lost by, 'Other' among them."""
        return tuple(entry for entry in self.all if entry.is_merged)


def read_top_five(report: Report, wishes: Wishes) -> TopFive:
    """Gives the list for the losses of a report, which must be enough to show anything.

    Args:
        report: What counts.
        wishes: What a person has asked for; has been checked against the taxonomy.
    """
    rules = MergeRules.shipped(report.taxonomy, wishes.apart)
    held = read_combinations(report.session, report.scope, report.taxonomy.codes)
    sets = list(rules.sets())
    found = find_list(
        _counts(held, rules.causes, len(report.scope.cut.periods)),
        np.array([[code in codes for code in rules.causes] for codes in sets]),
        locked=[sets.index(codes) for codes in wishes.locked],
        minimum=report.scope.cut.minimum,
    )
    again = {sets[place]: number for place, number in zip(found.entries, found.again, strict=True)}
    return _TopFiveOf(report, held, frozenset(wishes.locked)).build(again)


def read_combinations(session: Session, scope: Scope, codes: Sequence[str]) -> dict[int, Counter[Combination]]:
    """Gives the number of deals by period and by the reasons that they have, counted by the database.

    Args:
        session: An open session.
        scope: What counts.
        codes: The reasons there are, at most 62; others count where they are primary.
    """
    bits = {code: literal(1 << place, BigInteger) for place, code in enumerate(codes)}
    bit = case(*((LossReasonRow.code == code, value) for code, value in bits.items()), else_=literal(0, BigInteger))
    query = select(LossRow.primary_reason.label("reason"), period_of_loss(scope.cut.periods).label("period"))
    query = query.add_columns(func.sum(bit).label("applies")).outerjoin_from(
        LossRow, LossReasonRow, LossReasonRow.deal_id == LossRow.deal_id
    )
    deals = query.where(*scope.where).group_by(LossRow.deal_id, LossRow.primary_reason, "period").subquery()
    axes = (deals.c.period, deals.c.reason, deals.c.applies)
    found: dict[int, Counter[Combination]] = {}
    for period, reason, applies, number in session.execute(select(*axes, func.count()).group_by(*axes)):
        beside = frozenset(code for place, code in enumerate(codes) if int(applies) >> place & 1)
        found.setdefault(period, Counter())[reason, beside | {reason}] += number
    return found


def _counts(held: Mapping[int, Counter[Combination]], causes: Codes, periods: int) -> Counts:
    known = sorted({key for found in held.values() for key in found}, key=lambda key: (key[0], sorted(key[1])))
    return Counts(
        deals=np.array([[held.get(period, Counter())[key] for key in known] for period in range(periods)]),
        primary=np.array([[code == primary for code in causes] for primary, _ in known]),
        applies=np.array([[code in applying for code in causes] for _, applying in known]),
    )


def label_of(codes: Codes, taxonomy: Taxonomy) -> str:
    """Gives what the drop-down shows for some reasons: the name of their group where they are all of it, else their own names."""
    reasons = [taxonomy.get_reason(code) for code in codes]
    group = taxonomy.get_group(reasons[0].group)
    if len(codes) > 1 and set(codes) == {reason.code for reason in taxonomy.reasons if reason.group == group.code}:
        return group.label
    first, *others = (reason.label for reason in reasons)
    *earlier, last = [first, *(_lowered(label) for label in others)]
    return f"{', '.join(earlier)} or {last}" if earlier else last


def _lowered(label: str) -> str:
    return label[0].lower() + label[1:] if label[1:2].islower() else label


@dataclass(frozen=True)
class _TopFiveOf:
    """Puts the list together from what was found and counted."""

    report: Report
    held: Mapping[int, Counter[Combination]]
    locked: frozenset[Codes]

    def build(self, again: Mapping[Codes, int]) -> TopFive:
        """Gives the list of these entries."""
        overlaps = self._overlaps(list(again))
        entries = [
            self._entry(codes, again=number, overlap=sum(deals for both, deals in overlaps.items() if codes in both))
            for codes, number in again.items()
        ]
        entries.sort(key=lambda entry: (-entry.tally.deals, entry.codes))
        pairs = Counter[tuple[str, str]]()
        for both, deals in overlaps.items():
            labels = [entry.label for entry in entries if entry.codes in both]
            pairs.update(dict.fromkeys(combinations(labels, 2), deals))
        rest = tuple(code for code in self.report.taxonomy.codes if not any(code in codes for codes in again))
        return TopFive(tuple(entries), self._other(rest), dict(pairs), sum(overlaps.values()))

    def _overlaps(self, entries: Sequence[Codes]) -> Counter[tuple[Codes, ...]]:
        """Gives the deals whose reasons fall into two entries or more, by all that they fall into."""
        sums = Counter[tuple[Codes, ...]]()
        for codes, deals in self._applying.items():
            sums[tuple(entry for entry in entries if codes & set(entry))] += deals
        return Counter({touched: deals for touched, deals in sums.items() if len(touched) > 1})

    def _other(self, codes: Codes) -> Entry:
        """Gives the entry of all that is left, and of reasons that the taxonomy does not have any more."""
        older = [code for code in self.report.losses.by_reason if code not in self.report.taxonomy.codes]
        parts = self._parts((*codes, *older))
        return Entry(OTHER, "None of the above.", codes, parts, again=None, several=self._several(codes), overlap=0)

    def _entry(self, codes: Codes, *, again: int, overlap: int) -> Entry:
        is_locked = codes in self.locked
        return Entry(
            label=label_of(codes, self.report.taxonomy),
            definition=_definition(codes, self.report.taxonomy),
            codes=codes,
            parts=self._parts(codes),
            again=None if is_locked else again,
            several=self._several(codes),
            overlap=overlap,
            is_locked=is_locked,
        )

    def _parts(self, codes: Codes) -> dict[str, Tally]:
        return {code: self.report.losses.by_reason.get(code, _NOTHING) for code in codes}

    def _several(self, codes: Codes) -> int:
        return sum(deals for applying, deals in self._applying.items() if len(applying & set(codes)) > 1)

    @cached_property
    def _applying(self) -> Counter[frozenset[str]]:
        """Deals by all reasons that apply to them."""
        sums = Counter[frozenset[str]]()
        for found in self.held.values():
            for (_, codes), deals in found.items():
                sums[codes] += deals
        return sums


def _definition(codes: Codes, taxonomy: Taxonomy) -> str:
    reasons = [taxonomy.get_reason(code) for code in codes]
    if len(reasons) == 1:
        return reasons[0].definition
    return " ".join(f"{reason.label}: {reason.definition}" for reason in reasons)
