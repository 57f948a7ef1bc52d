"""What a person asks of the short list: entries that are to be in it, and reasons that are to stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lossnlp.taxonomy import Taxonomy
from serving.reports.cuts import CutError
from serving.reports.merge_rules import MOST_MERGED, Codes, MergeRules, Pair
from serving.reports.top_five_search import MOST_ENTRIES

LOCK, APART = "lock", "apart"
NAMES = (LOCK, APART)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asks for.

    Args:
        locked: Entries that are in the list, each the reasons that it stands for, in the taxonomy's order.
        apart: Pairs of reasons that share no entry.
    """

    locked: tuple[Codes, ...] = ()
    apart: frozenset[Pair] = frozenset()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The query parameters that `parse_wishes` reads again."""
        apart = sorted(tuple(sorted(pair)) for pair in self.apart)
        return (*((LOCK, ",".join(codes)) for codes in self.locked), *((APART, ",".join(codes)) for codes in apart))


def parse_wishes(locks: Sequence[str], aparts: Sequence[str], taxonomy: Taxonomy) -> Wishes:
    """Gives the wishes of a query string, or of a command.

    Args:
        locks: Reason codes with commas between them, an entry each.
        aparts: Two reason codes with a comma between them each.
        taxonomy: The reasons there are.

    Raises:
        CutError: A wish names no reason, or wishes do not go together; `field` is `lock` or `apart`.
    """
    apart = frozenset(_pair(text, taxonomy) for text in _given(aparts))
    rules = MergeRules.shipped(taxonomy, apart)
    locked = tuple(dict.fromkeys(_entry(text, rules) for text in _given(locks)))
    if len(locked) > MOST_ENTRIES:
        raise CutError(f"'{LOCK}' asks for {len(locked)} entries; keep {MOST_ENTRIES} at most.", field=LOCK)
    named = [code for codes in locked for code in codes]
    twice = next((code for code in named if named.count(code) > 1), None)
    if twice:
        raise CutError(f"'{LOCK}' names '{twice}' in two entries; keep it in one.", field=LOCK)
    return Wishes(locked, apart)


def _given(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if text.strip()]


def _entry(text: str, rules: MergeRules) -> Codes:
    codes = _codes(text, rules.taxonomy, field=LOCK)
    if len(codes) > MOST_MERGED:
        raise CutError(f"'{LOCK}' merges {len(codes)} reasons; an entry holds {MOST_MERGED} at most.", field=LOCK)
    for code in codes:
        if code not in rules.causes:
            raise CutError(f"'{LOCK}' names '{code}', which is no cause of a loss; it stays under Other.", field=LOCK)
    bar = rules.find_bar(codes)
    if bar is not None:
        cause = (
            "you keep them apart" if frozenset(bar) in rules.apart else "they are neither of one group nor neighbours"
        )
        raise CutError(f"'{LOCK}' merges '{bar[0]}' and '{bar[1]}', but {cause}.", field=LOCK)
    return codes


def _pair(text: str, taxonomy: Taxonomy) -> Pair:
    codes = _codes(text, taxonomy, field=APART)
    if len(codes) != 2:
        raise CutError(f"'{APART}' takes two reasons with a comma between them, such as price,budget.", field=APART)
    return frozenset(codes)


def _codes(text: str, taxonomy: Taxonomy, *, field: str) -> Codes:
    named = {code.strip() for code in text.split(",")}
    for code in sorted(named - set(taxonomy.codes)):
        raise CutError(
            f"'{field}' names '{code[:40]}', which is no reason; use {', '.join(taxonomy.codes)}.", field=field
        )
    return tuple(code for code in taxonomy.codes if code in named)
