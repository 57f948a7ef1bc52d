"""Verdicts of an older list in a newer one: `python -m training.relabel CHANGE VERDICTS OUT`.

A model of the new list can then learn from them. Lines all of whose reasons are certain are written in the new codes; the others are left
out, for only a person can say what they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import get_default_taxonomy, read_taxonomy
from lossnlp.taxonomy_change import Walk, read_change, walk_of
from training.corpus import CorpusError


def relabelled(row: dict[str, Any], walk: Walk) -> dict[str, Any] | None:
    """Gives a line in the new codes; None where one of its reasons is open.

    Args:
        row: A decoded line of `lossnlp-serve verdicts export`.
        walk: The way of each old code that changes.
    """
    labels = row["labels"]
    way = {code: walk.get(code, (code,)) for code in (*labels["reasons"], *labels.get("evidence", {}))}
    if any(len(way[code]) != 1 for code in labels["reasons"]):
        return None
    reasons = list(dict.fromkeys(way[code][0] for code in labels["reasons"]))
    evidence: dict[str, list[str]] = {}
    for code, quotes in labels.get("evidence", {}).items():
        now = way[code][0] if len(way[code]) == 1 else code
        evidence[now] = list(dict.fromkeys((*evidence.get(now, ()), *quotes)))
    return {**row, "labels": {**labels, "primary": reasons[0], "reasons": reasons, "evidence": evidence}}


def relabel_lines(lines: Iterable[str], walk: Walk) -> tuple[list[str], int]:
    """Gives the lines in the new codes, and how many were left out.

    Raises:
        CorpusError: A line is no verdict; names it.
    """
    kept: list[str] = []
    left_out = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = relabelled(json.loads(line), walk)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorpusError(f"Line {number} is no verdict; export the verdicts anew.") from None
        left_out += row is None
        kept += [json.dumps(row, ensure_ascii=False)] if row else []
    return kept, left_out


def main(words: list[str] | None = None) -> None:
    """Runs the command; a fault that a person can mend ends in one sentence."""
    ask = argparse.ArgumentParser(prog="python -m training.relabel", description="Verdicts in a newer list of reasons.")
    ask.add_argument("change", type=Path, help="the change file")
    ask.add_argument("verdicts", type=Path, help="file of `lossnlp-serve verdicts export`, in the list before")
    ask.add_argument("out", type=Path, help="file to write")
    ask.add_argument("--before", type=Path, help="the list that changes; default: the shipped one")
    given = ask.parse_args(words)
    try:
        before = read_taxonomy(given.before) if given.before else get_default_taxonomy()
        walk = walk_of(read_change(given.change, before))
        kept, left_out = relabel_lines(_lines(given.verdicts), walk)
    except LossNlpError as error:
        sys.exit(f"training.relabel: {error.message}")
    given.out.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    sys.stdout.write(f"{len(kept)} verdicts in {given.out}; {left_out} left out, which only a person can carry over.\n")


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            return list(lines)
    except (OSError, UnicodeDecodeError):
        raise CorpusError(f"{file} cannot be read; name a file of exported verdicts.") from None


if __name__ == "__main__":
    main()
