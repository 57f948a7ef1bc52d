"""The data check: what is wrong with the deals of a run, in a table, before anything is learned. Errors stop a run, warnings do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

from training.baseline import text_of
from training.corpus import LabelledDeal
from training.corpus_check import find_near_duplicates
from training.material import Material

FEWEST = 8
_SHOWN = 3

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        level: An "error" stops the run.
        what: What is wrong, and what is done or to be done about it.
        count: How many rows, deals or labels it concerns.
        places: Where the first of them are.
    """

    level: Level
    what: str
    count: int
    places: tuple[str, ...] = ()


def check_material(material: Material) -> list[Finding]:
    """Gives all that is wrong with the deals of a run, errors first."""
    found = [*_rows(material), *_words(material), *_labels(material), *_sides(material)]
    return sorted(found, key=lambda finding: finding.level)


def as_table(findings: Sequence[Finding], material: Material) -> Table:
    """Gives the findings as a table for a terminal, with what there is to learn from as its title."""
    sides = f"{len(material.learn)} to learn from, {len(material.held_out)} held out"
    more = "".join(
        f", {len(deals)} {what}"
        for deals, what in (
            (material.replay, "of the corpus to replay"),
            (material.newest, "newest"),
            (material.test, "for testing"),
        )
        if deals
    )
    table = Table("level", "what", "count", "where", title=f"Data check: {sides}{more}", title_justify="left")
    for one in findings:
        where = "\n".join(one.places[:_SHOWN]) + ("\n..." if len(one.places) > _SHOWN else "")
        table.add_row(one.level, one.what, str(one.count), where)
    if not findings:
        table.add_row("", "nothing is wrong", "", "")
    return table


def _rows(material: Material) -> Iterator[Finding]:
    if material.unreadable:
        places = tuple(f"{row.place}: {row.fault}" for row in material.unreadable)
        yield Finding("error", "rows that cannot be read; mend them or take them out", len(places), places)
    if material.unlabelled:
        yield Finding("warning", "rows without a label, left out", len(material.unlabelled), material.unlabelled)
    if material.left_out:
        yield Finding("warning", "older deals of an account that has a newest one, left out", material.left_out)


def _words(material: Material) -> Iterator[Finding]:
    """Gives deals whose words are the same: judged alike they count twice, judged otherwise they contradict each other."""
    groups: dict[str, list[LabelledDeal]] = {}
    for one in _own(material):
        groups.setdefault(" ".join(text_of(one.deal).casefold().split()), []).append(one)
    same = [deals for deals in groups.values() if len(deals) > 1]
    torn = [deals for deals in same if len({one.labels.primary for one in deals}) > 1]
    alike = [deals for deals in same if len({one.labels.primary for one in deals}) == 1]
    for what, found in (
        ("same words, other label: the network can learn neither", torn),
        ("same words, same label: they count more than once", alike),
    ):
        if found:
            places = tuple(" and ".join(_place(one, material) for one in deals[:2]) for deals in found)
            yield Finding("warning", what, len(found), places)


def _labels(material: Material) -> Iterator[Finding]:
    if not material.learn:
        what = "nothing to learn from: no labelled deal of the files is left; give verdicts or deals with labels"
        yield Finding("error", what, 0)
    counts = Counter(code for one in (*material.learn, *material.replay) for code in one.labels.reasons)
    if material.learn and len(counts) < 2:
        yield Finding("error", "fewer than two labels to learn; give deals of at least two", len(counts), tuple(counts))
    rare = [f"{code}: {counts[code]}" for code in material.taxonomy.codes if counts[code] < FEWEST]
    if rare:
        yield Finding("warning", f"labels with fewer than {FEWEST} deals to learn from", len(rare), tuple(rare))


def _sides(material: Material) -> Iterator[Finding]:
    if not material.held_out:
        yield Finding("error", "no deal is held out, so nothing can be calibrated; give more deals", 0)
    side = _side_of(material)
    pairs = [
        f"{material.places.get(one, one)} and {material.places.get(other, other)}"
        for one, other in find_near_duplicates(_own(material))
        if side[one] != side[other] and "learn" in (side[one], side[other])
    ]
    if pairs:
        what = (
            "nearly the same words on both sides of the split: figures will look too good; give such deals one account"
        )
        yield Finding("warning", what, len(pairs), tuple(pairs))
    bare = sum(not one.meta.get("account") for one in _own(material) if one.deal.id in material.places)
    if bare:
        yield Finding("warning", "deals without an account: a customer may stand on both sides of the split", bare)


def _own(material: Material) -> list[LabelledDeal]:
    replayed = {one.deal.id for one in material.replay}
    found = (*material.learn, *material.held_out, *material.newest, *material.test)
    return [one for one in found if one.deal.id not in replayed]


def _side_of(material: Material) -> Mapping[str, str]:
    sides = {"learn": material.learn, "held_out": material.held_out, "newest": material.newest, "test": material.test}
    return {one.deal.id: name for name, deals in sides.items() for one in deals}


def _place(labelled: LabelledDeal, material: Material) -> str:
    return material.places.get(labelled.deal.id, labelled.deal.id)
