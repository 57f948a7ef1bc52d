"""Which loss reasons may share an entry of a drop-down: those of one group, and neighbours across groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import combinations

import yaml

from lossnlp.deal import Frozen
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS, Taxonomy

MOST_MERGED = 3  # a label that names more is no entry of a drop-down any more

Codes = tuple[str, ...]
Pair = frozenset[str]


class Neighbour(Frozen):
    """Two reasons of different groups that may share an entry, and why."""

    pair: tuple[str, str]
    because: str


class _Table(Frozen):
    neighbours: tuple[Neighbour, ...]


@cache
def get_neighbours() -> tuple[Neighbour, ...]:
    """Gives the table of neighbours that ships."""
    text = resources.files("serving.reports").joinpath("merge_neighbours.yaml").read_text(encoding="utf-8")
    return _Table.model_validate(yaml.safe_load(text)).neighbours


@dataclass(frozen=True, slots=True)
class MergeRules:
    """What may share an entry.

    Args:
        taxonomy: The reasons, and the groups that they stand in.
        apart: Pairs that are to stay apart whatever their groups.
        neighbours: Pairs across groups that may share one.
    """

    taxonomy: Taxonomy
    apart: frozenset[Pair] = frozenset()
    neighbours: tuple[Neighbour, ...] = ()

    @classmethod
    def shipped(cls, taxonomy: Taxonomy, apart: Iterable[Pair] = ()) -> MergeRules:
        """Gives the rules with the neighbours that ship."""
        return cls(taxonomy, frozenset(apart), get_neighbours())

    @property
    def causes(self) -> Codes:
        """The reasons that may be an entry at all, in the taxonomy's order; no cause and no loss are none."""
        return tuple(code for code in self.taxonomy.codes if code not in (NO_CAUSE, NOT_A_LOSS))

    def find_why(self, one: str, other: str) -> str | None:
        """Gives why two reasons may share an entry, None where they may not."""
        if {one, other} - set(self.causes) or frozenset((one, other)) in self.apart:
            return None
        first, second = self.taxonomy.get_reason(one), self.taxonomy.get_reason(other)
        if first.group == second.group:
            return f"Both stand under {self.taxonomy.get_group(first.group).label}."
        return next((found.because for found in self.neighbours if set(found.pair) == {one, other}), None)

    def find_bar(self, codes: Iterable[str]) -> tuple[str, str] | None:
        """Gives two of the reasons that may not share an entry, None where all may."""
        pairs = combinations(codes, 2)
        return next(((one, other) for one, other in pairs if self.find_why(one, other) is None), None)

    def sets(self) -> Iterator[Codes]:
        """Gives every set of reasons that may be one entry, each in the taxonomy's order, single reasons first."""
        for size in range(1, MOST_MERGED + 1):
            yield from (codes for codes in combinations(self.causes, size) if self.find_bar(codes) is None)
