"""Agreement of two labellers, field by field: `python -m training.agreement FIRST SECOND`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lossnlp.taxonomy import get_default_taxonomy

Row = Mapping[str, Any]
_SINGLE = ("primary", "attribution", "insufficient_detail", "winback", "rep_buyer_conflict")


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float:
    """Gives the chance-corrected agreement of two labellers, -1 to 1; 1 where both always say the same.

    Source: Cohen 1960, "A Coefficient of Agreement for Nominal Scales".

    Args:
        pairs: What the first and the second said of each item, at least one.
    """
    total = len(pairs)
    observed = sum(first == second for first, second in pairs) / total
    values = {value for pair in pairs for value in pair}
    expected = sum(
        sum(first == value for first, _ in pairs) * sum(second == value for _, second in pairs) / total**2
        for value in values
    )
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def agreement(first: Sequence[Row], second: Sequence[Row]) -> dict[str, tuple[int, float]]:
    """Gives number of judgements and kappa of each field over the items that both labelled.

    Args:
        first: Rows with `id` and `labels`.
        second: The same of another labeller.
    """
    other = {row["id"]: row["labels"] for row in second}
    both = [(row["labels"], other[row["id"]]) for row in first if row["id"] in other]
    found: dict[str, tuple[int, float]] = {}
    for name, pairs in _fields(both):
        if pairs:
            found[name] = (len(pairs), cohen_kappa(pairs))
    return found


def _fields(both: Sequence[tuple[Row, Row]]) -> Iterator[tuple[str, list[tuple[Hashable, Hashable]]]]:
    taxonomy = get_default_taxonomy()
    for name in _SINGLE:
        given = [(a.get(name), b.get(name)) for a, b in both if a.get(name) not in (None, "na")]
        yield name, given
    yield "reasons", _each(both, taxonomy.codes, lambda labels, code: code in labels["reasons"])
    for element in taxonomy.element_codes:
        yield f"meddpicc.{element}", [(_state(a, element), _state(b, element)) for a, b in both]
    yield "revisit (given)", [(bool(a.get("revisit")), bool(b.get("revisit"))) for a, b in both]


def _each(
    both: Sequence[tuple[Row, Row]], codes: Sequence[str], has: Callable[[Row, str], bool]
) -> list[tuple[Hashable, Hashable]]:
    return [(has(a, code), has(b, code)) for a, b in both for code in codes]


def _state(labels: Row, element: str) -> str:
    return str(labels.get("meddpicc", {}).get(element, "not_mentioned"))


def main() -> None:
    """Prints a table of the agreement between two label files."""
    ask = argparse.ArgumentParser(prog="python -m training.agreement", description=main.__doc__)
    ask.add_argument("first", type=Path)
    ask.add_argument("second", type=Path)
    asked = ask.parse_args()
    first, second = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for path in (asked.first, asked.second)
    )
    sys.stdout.write("| field | judgements | kappa |\n| --- | --- | --- |\n")
    for name, (count, kappa) in agreement(first, second).items():
        sys.stdout.write(f"| {name} | {count} | {kappa:.2f} |\n")


if __name__ == "__main__":
    main()
